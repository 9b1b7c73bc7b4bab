//! A lock that could be obtained is obtained at once, in random worlds without faults in which many contend.

use tenure_tests::trials::ManyLocks;

/// How many worlds of each kind a normal run plays; `TENURE_PROMPT_WORLDS=3000` plays more.
const WORLDS: u64 = 250;

fn never_stalls(kind: ManyLocks) {
    let wanted = std::env::var("TENURE_PROMPT_WORLDS").ok();
    let worlds = wanted.map_or(WORLDS, |text| text.parse().expect("a number"));
    let played = (0..worlds).map(|seed| (seed, kind.play(seed)));
    let broken: Vec<_> = played
        .filter_map(|(seed, result)| Some((seed, result.err()?)))
        .collect();
    if let Some((seed, violation)) = broken.first() {
        panic!(
            "{kind:?}: {} of {worlds} worlds, first seed {seed}: {violation}",
            broken.len()
        );
    }
}

#[test]
fn a_free_lock_is_obtained_at_once_with_one_client_and_one_node() {
    never_stalls(ManyLocks::ALL[0]);
}

#[test]
fn a_free_lock_is_obtained_at_once_with_two_clients_and_one_node() {
    never_stalls(ManyLocks::ALL[1]);
}

#[test]
fn a_free_lock_is_obtained_at_once_with_one_client_and_three_nodes_in_order() {
    never_stalls(ManyLocks::ALL[2]);
}

#[test]
fn a_free_lock_is_obtained_at_once_with_two_clients_and_three_nodes_in_order() {
    never_stalls(ManyLocks::ALL[3]);
}

#[test]
fn a_free_lock_is_obtained_at_once_with_one_client_and_a_quorum_of_three() {
    never_stalls(ManyLocks::ALL[4]);
}

#[test]
fn a_free_lock_is_obtained_at_once_with_two_clients_and_a_quorum_of_three() {
    never_stalls(ManyLocks::ALL[5]);
}
