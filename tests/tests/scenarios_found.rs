//! Mistakes of the core that simulated schedules have uncovered, each as the shortest schedule that showed it.
//!
//! `tests/sim --seed N` prints today's schedule of a seed; the bytes here stay what they were.

use tenure_tests::schedule::{HEADER, Schedule};

/// Plays a schedule given as its header without the zeros at its end, and its steps.
fn keeps_every_promise(header: &[u8], steps: &[[u8; 6]]) {
    let mut bytes = header.to_vec();
    bytes.resize(HEADER, 0);
    bytes.extend(steps.iter().flatten());
    let report = Schedule::from_bytes(&bytes).play_logged();
    if let Some(violation) = report.violation {
        panic!("{violation}\n{}", report.lines.join("\n"));
    }
}

/// Seed 42: two missing scripts in one write or in two came to different commands.
#[test]
fn splitting_an_answer_does_not_change_which_script_is_sent_whole() {
    keeps_every_promise(
        &[],
        &[
            [0; 6],
            [0, 0, 0, 0, 0, 0],
            [0, 192, 0, 0, 0, 122],
            [234, 0, 0, 0, 0, 0],
        ],
    );
}

/// Seed 135: one timeout for all nodes in order, though each answers in time.
#[test]
fn five_slow_nodes_in_order_have_each_their_own_time() {
    keeps_every_promise(&[197, 0, 0, 0, 239], &[]);
}

/// Seed 2698: the second of two nodes does not answer, and the undo never reached the first.
#[test]
fn an_undo_does_not_wait_for_a_dead_node() {
    keeps_every_promise(&[70], &[[21, 176, 0, 205, 39, 0], [18, 0, 0, 0, 228, 0]]);
}

/// Seed 8075: an undo that surely never left changed the token, and the lock was kept out by its own old value.
#[test]
fn a_release_that_never_left_changes_no_token() {
    keeps_every_promise(
        &[135],
        &[
            [128, 206, 0, 0, 0, 213],
            [0, 0, 0, 0, 188, 0],
            [229, 171, 0, 0, 0, 0],
        ],
    );
}

/// Seed 23723: an unanswered undo left the old value behind.
#[test]
fn leftovers_of_an_old_token_are_released() {
    keeps_every_promise(
        &[143, 0, 0, 0, 142, 0, 0, 0, 0, 128, 0, 128],
        &[
            [192, 192, 0, 0, 0, 0],
            [0, 228, 0, 0, 64, 227],
            [0, 199, 0, 0, 0, 0],
            [184, 0, 0, 0, 173, 108],
            [185, 192, 0, 0, 0, 0],
            [0, 154, 0, 0, 0, 0],
        ],
    );
}

/// Seed 3535: a renewal was overdue before it was planned.
#[test]
fn a_timeout_is_never_in_the_past() {
    keeps_every_promise(
        &[
            207, 7, 0, 0, 47, 214, 225, 0, 227, 225, 60, 84, 211, 0, 6, 88,
        ],
        &[
            [223, 0, 0, 0, 175, 0],
            [25, 0, 0, 0, 0, 0],
            [29, 212, 0, 0, 128, 0],
        ],
    );
}

/// Seed 6399: a process slept past the time by which its keys were gone.
#[test]
fn a_release_that_is_over_when_it_begins_is_over() {
    keeps_every_promise(
        &[7],
        &[
            [192, 169, 0, 109, 160, 254],
            [40, 0, 0, 0, 56, 41],
            [234, 0, 0, 0, 0, 0],
            [0, 192, 0, 0, 0, 241],
            [251, 0, 0, 0, 0, 0],
            [0, 229, 0, 0, 0, 0],
        ],
    );
}

/// Seed 139: the answer to a refresh was read before the timeout of a lease that was over.
#[test]
fn a_lease_that_is_over_is_not_refreshed() {
    keeps_every_promise(
        &[],
        &[
            [0, 0, 0, 0, 128, 0],
            [237, 0, 0, 0, 0, 0],
            [0, 0, 0, 192, 0, 223],
            [0, 207, 238, 0, 0, 0],
        ],
    );
}

/// Seed 10530: a node was checked between two tries of a late obtain, and the value that the second left there was forgotten.
#[test]
fn a_node_that_is_still_to_answer_an_obtain_is_released() {
    keeps_every_promise(
        &[106, 0, 0, 0, 0, 0, 0, 217],
        &[
            [192, 240, 0, 0, 0, 0],
            [95, 119, 0, 0, 0, 0],
            [45, 0, 0, 0, 37, 0],
        ],
    );
}
