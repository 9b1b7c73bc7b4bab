//! Every report about a lock was true at that moment.

use std::time::Duration;

use tenure_core::memory::{Options, Trouble, User};
use tenure_core::{
    Arrangement, Event, Holder, LockId, NodeError, NotObtained, Released, Renewal, Retry, Secret,
    Token, Ttl,
};
use tenure_tests::trials::ARRANGEMENTS;
use tenure_tests::world::{ClientId, Weather, World};

use crate::{
    MS, TTL, ended, held, is_held, like_redis, modes, not_obtained, obtain, released, until_held,
    wait_at_most, wait_for, without_tracking,
};

/// From the next connection on it wants a password that nobody has.
fn locks_out(world: &mut World, node: usize) {
    world.server(node).options_mut().users.push(User {
        name: (*b"default").into(),
        password: Secret::new(*b"changed"),
    });
    world.refuses_for_good(node);
}

fn try_for(world: &mut World, client: ClientId, key: &str) -> LockId {
    let request = world.request(key, TTL);
    world.obtain(client, request)
}

#[track_caller]
fn taken_by(world: &mut World, client: ClientId, lock: LockId) -> Holder {
    let end = ended(world, client, lock, 100 * MS);
    let Event::NotObtained {
        reason: NotObtained::Taken { by, .. },
        ..
    } = end
    else {
        panic!("{end:?}");
    };
    by
}

#[test]
fn a_wait_that_ends_while_the_server_is_gone_reports_the_nodes_error() {
    let unreachable = |error| NotObtained::Unreachable(error);
    for (weather, error) in [
        (Weather::Refusing, NodeError::Disconnected),
        (Weather::Silent, NodeError::TimedOut),
    ] {
        let mut world = World::single();
        let (alice, bob) = (world.client(), world.client());
        obtain(&mut world, alice, "k");
        let lock = wait_at_most(&mut world, bob, "k", 9000 * MS);
        world.run_for(100 * MS);
        world.weather(bob, 0, weather);
        world.cut(bob, 0);
        let end = ended(&mut world, bob, lock, 9000 * MS);
        assert_eq!(end, not_obtained(lock, unreachable(error)));
    }
}

/// It is parked behind a lock of its own client, and has sent no request.
#[test]
fn a_wait_of_a_parked_waiter_that_ends_while_the_server_is_gone_reports_that() {
    let mut world = World::single();
    let alice = world.client();
    obtain(&mut world, alice, "k");
    let lock = wait_at_most(&mut world, alice, "k", 5000 * MS);
    world.run_for(100 * MS);
    world.weather(alice, 0, Weather::Refusing);
    world.cut(alice, 0);
    let end = ended(&mut world, alice, lock, 5000 * MS);
    let reason = NotObtained::Unreachable(NodeError::Disconnected);
    assert_eq!(end, not_obtained(lock, reason));
}

#[test]
fn a_wait_that_ends_while_the_server_gives_errors_reports_the_error() {
    for (trouble, error) in [
        (Trouble::Loading, NodeError::Loading),
        (
            Trouble::Says(b"CLUSTERDOWN Hash slot not served"),
            NodeError::ClusterDown,
        ),
    ] {
        let mut world = World::single();
        let (alice, bob) = (world.client(), world.client());
        obtain(&mut world, alice, "k");
        let lock = wait_at_most(&mut world, bob, "k", 9000 * MS);
        world.run_for(100 * MS);
        world.server(0).options_mut().trouble = Some(trouble);
        world.refuses(0, true);
        let end = ended(&mut world, bob, lock, 9000 * MS);
        let reason = NotObtained::Unreachable(error);
        assert_eq!(end, not_obtained(lock, reason));
    }
}

#[test]
fn a_parked_waiter_takes_over_the_last_reply_to_the_first_in_line() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    obtain(&mut world, alice, "k");
    let asks = wait_at_most(&mut world, bob, "k", 9000 * MS);
    let parked: Vec<LockId> = (0..3)
        .map(|_| wait_at_most(&mut world, bob, "k", 9000 * MS))
        .collect();
    world.run_for(100 * MS);
    world.server(0).options_mut().trouble = Some(Trouble::Loading);
    world.refuses(0, true);
    for lock in std::iter::once(asks).chain(parked) {
        let end = ended(&mut world, bob, lock, 9000 * MS);
        let reason = NotObtained::Unreachable(NodeError::Loading);
        assert_eq!(end, not_obtained(lock, reason));
    }
}

#[test]
fn an_error_that_has_passed_is_not_the_reason_why_a_parked_waiter_ends() {
    let mut world = World::with(1, Arrangement::Ordered, without_tracking(), |_| {});
    let (alice, bob) = (world.client(), world.client());
    obtain(&mut world, alice, "k");
    let mut first = world.request("k", TTL);
    first.wait = Some(Duration::from_secs(60));
    first.retry = Retry::every(50 * MS);
    world.obtain(bob, first);
    let parked = wait_at_most(&mut world, bob, "k", 2000 * MS);
    world.run_for(1200 * MS);
    world.server(0).options_mut().trouble = Some(Trouble::Loading);
    world.refuses(0, true);
    world.run_for(300 * MS);
    world.server(0).options_mut().trouble = None;
    world.refuses(0, false);
    let end = ended(&mut world, bob, parked, 501 * MS);
    let by = Holder::Other;
    assert_eq!(end, not_obtained(parked, NotObtained::TimedOut { by }));
}

#[test]
fn a_parked_waiter_reports_who_holds_the_lock() {
    for by in [Holder::Other, Holder::Ourselves] {
        let mut world = World::single();
        let (alice, bob) = (world.client(), world.client());
        obtain(&mut world, alice, "k");
        let waits = if by == Holder::Other { bob } else { alice };
        let locks = [0; 2].map(|_| wait_at_most(&mut world, waits, "k", 1000 * MS));
        for lock in locks {
            let end = ended(&mut world, waits, lock, 1001 * MS);
            assert_eq!(end, not_obtained(lock, NotObtained::TimedOut { by }));
        }
    }
}

#[test]
fn a_login_that_fails_for_good_ends_all_waits_at_once() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    obtain(&mut world, alice, "k");
    let locks = [0; 3].map(|_| wait_for(&mut world, bob, "k"));
    world.run_for(100 * MS);
    locks_out(&mut world, 0);
    world.cut(bob, 0);
    for lock in locks {
        let end = ended(&mut world, bob, lock, 100 * MS);
        let reason = NotObtained::Refused(NodeError::NoAuth);
        assert_eq!(end, not_obtained(lock, reason));
    }
}

#[test]
fn a_login_that_fails_at_one_of_three_nodes_ends_no_wait() {
    let mut world = World::new(3, Arrangement::Quorum);
    let (alice, bob) = (world.client(), world.client());
    let held = obtain(&mut world, alice, "k");
    let lock = wait_for(&mut world, bob, "k");
    world.run_for(100 * MS);
    locks_out(&mut world, 0);
    world.cut(bob, 0);
    world.run_for(3000 * MS);
    world.release(alice, held);
    until_held(&mut world, bob, lock, 200 * MS);

    let next = wait_for(&mut world, alice, "k");
    world.run_for(100 * MS);
    for node in [1, 2] {
        locks_out(&mut world, node);
        world.cut(alice, node);
    }
    world.cut(alice, 0);
    let end = ended(&mut world, alice, next, 1000 * MS);
    let reason = NotObtained::Refused(NodeError::NoAuth);
    assert_eq!(end, not_obtained(next, reason));
}

#[test]
fn a_second_release_after_a_lost_reply_never_reports_the_lock_as_missing() {
    for (nodes, arrangement) in ARRANGEMENTS {
        for options in [Options::default(), like_redis()] {
            for moment in (0..3000).step_by(250) {
                let mut world = World::with(nodes, arrangement, options.clone(), |_| {});
                let alice = world.client();
                let lock = obtain(&mut world, alice, "k");
                world.run_for(10 * MS);
                for node in 0..nodes {
                    world.weather(alice, node, Weather::Deaf);
                }
                world.release(alice, lock);
                world.run_for(Duration::from_micros(moment));
                for node in 0..nodes {
                    world.cut(alice, node);
                    world.weather(alice, node, Weather::Fair);
                }
                let end = ended(&mut world, alice, lock, TTL);
                let Event::Released { proof, .. } = end else {
                    panic!("{end:?}");
                };
                assert!(
                    matches!(proof, Released::Confirmed | Released::Unconfirmed),
                    "{nodes} {arrangement:?}, {moment} µs: {proof:?}"
                );
            }
        }
    }
}

#[test]
fn a_try_right_after_a_release_obtains_the_lock() {
    for (nodes, arrangement) in [
        (1, Arrangement::Ordered),
        (3, Arrangement::Ordered),
        (5, Arrangement::Ordered),
        (3, Arrangement::Quorum),
    ] {
        for options in [Options::default(), like_redis()] {
            for moment in (0..6000).step_by(250) {
                let mut world = World::with(nodes, arrangement, options.clone(), |_| {});
                let alice = world.client();
                let lock = obtain(&mut world, alice, "k");
                world.run_for(10 * MS);
                world.release(alice, lock);
                world.run_for(Duration::from_micros(moment));
                let again = try_for(&mut world, alice, "k");
                until_held(&mut world, alice, again, 50 * MS);
                assert_eq!(world.last(alice, lock), released(lock, Released::Confirmed));
            }
        }
    }
}

#[test]
fn a_try_for_a_lock_of_the_same_client_reports_that_it_is_ours() {
    for (nodes, arrangement) in ARRANGEMENTS {
        let mut world = World::new(nodes, arrangement);
        let (alice, bob) = (world.client(), world.client());
        obtain(&mut world, alice, "k");
        obtain(&mut world, bob, "other");
        for (client, key, by) in [
            (alice, "k", Holder::Ourselves),
            (alice, "k+free", Holder::Ourselves),
            (alice, "other", Holder::Other),
            (bob, "k", Holder::Other),
            (bob, "other+free", Holder::Ourselves),
        ] {
            let lock = try_for(&mut world, client, key);
            assert_eq!(taken_by(&mut world, client, lock), by, "{nodes}: {key}");
        }
    }
}

#[test]
fn a_lock_that_another_client_has_taken_over_is_not_ours() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let lock = obtain(&mut world, alice, "k");
    world.command(0, &[b"DEL", b"k"]);
    world.run_for(10 * MS);
    assert!(!is_held(&world, alice, lock));
    obtain(&mut world, bob, "k");
    let again = try_for(&mut world, alice, "k");
    assert_eq!(taken_by(&mut world, alice, again), Holder::Other);
}

/// The older one has met somebody on `a`, and just now asks for both.
#[test]
fn a_denial_of_an_older_neighbour_on_one_key_is_not_reported_of_another() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    obtain(&mut world, bob, "a");
    wait_for(&mut world, alice, "a+b");
    world.run_for(2900 * MS);
    world.pause(0, true);
    // It looks every three seconds, and nobody answers.
    world.run_for(200 * MS);
    let younger = wait_at_most(&mut world, alice, "b", 500 * MS);
    let end = ended(&mut world, alice, younger, 600 * MS);
    let by = Holder::Ourselves;
    assert_eq!(end, not_obtained(younger, NotObtained::TimedOut { by }));
}

#[test]
fn a_wait_that_was_parked_behind_a_release_of_the_same_token_was_kept_waiting_by_ourselves() {
    let mut world = World::single();
    let alice = world.client();
    let mut request = world.request("k", TTL);
    request.token = Token::new("job-7").expect("a token");
    let first = held(&mut world, alice, request.clone());
    world.pause(0, true);
    world.release(alice, first);
    request.wait = Some(500 * MS);
    let next = world.obtain(alice, request);
    world.run_for(300 * MS);
    world.pause(0, false);
    // The answer is on its way, and what is asked next finds nobody.
    world.run_for(MS / 4);
    world.pause(0, true);
    let end = ended(&mut world, alice, next, 600 * MS);
    let by = Holder::Ourselves;
    assert_eq!(end, not_obtained(next, NotObtained::TimedOut { by }));
}

#[test]
fn one_node_that_is_down_is_not_the_reason_why_a_wait_of_a_quorum_ends() {
    let mut world = World::new(3, Arrangement::Quorum);
    let (alice, bob) = (world.client(), world.client());
    obtain(&mut world, bob, "k");
    world.down(2, true);
    world.cut(alice, 2);
    let lock = wait_at_most(&mut world, alice, "k", 2000 * MS);
    let end = ended(&mut world, alice, lock, 2100 * MS);
    let by = Holder::Other;
    assert_eq!(end, not_obtained(lock, NotObtained::TimedOut { by }));
}

/// The server has not replied to anything for seconds, because nothing was requested.
#[test]
fn a_reader_that_is_parked_behind_a_writer_of_the_same_engine_reports_the_queue() {
    let mut world = World::single();
    let alice = world.client();
    let mut long = modes::request(&mut world, modes::READ);
    long.ttl = Ttl::new(Duration::from_secs(60)).expect("a ttl");
    long.renewal = Renewal::Manual;
    let first = held(&mut world, alice, long);
    let writer = wait_for(&mut world, alice, "k");
    world.run_for(Duration::from_secs(10));
    let mut reader = modes::request(&mut world, modes::READ);
    reader.wait = Some(Duration::from_secs(1));
    let reader = world.obtain(alice, reader);
    world.run_for(Duration::from_millis(1100));
    let by = Holder::Queue;
    let reason = NotObtained::TimedOut { by };
    assert_eq!(
        world.last(alice, reader),
        Some(not_obtained(reader, reason))
    );
    assert!(is_held(&world, alice, first) && !is_held(&world, alice, writer));
}

#[test]
fn a_writer_behind_a_reader_of_the_same_engine_reports_that_the_key_is_shared() {
    let mut world = World::single();
    let alice = world.client();
    let reader = modes::hold(&mut world, alice, modes::READ);
    let mut writer = modes::request(&mut world, modes::WRITE);
    writer.wait = Some(TTL);
    let writer = world.obtain(alice, writer);
    world.run_for(TTL + 20 * MS);
    let by = Holder::Sharing;
    let reason = NotObtained::TimedOut { by };
    assert_eq!(
        world.last(alice, writer),
        Some(not_obtained(writer, reason))
    );
    assert!(is_held(&world, alice, reader));
}

/// The writer is denied because of another client, but without it the reader would be denied as well or come first.
#[test]
fn a_reader_behind_a_writer_that_waits_for_another_client_reports_the_queue() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    modes::hold(&mut world, bob, modes::WRITE);
    modes::wait_in(&mut world, alice, modes::WRITE);
    world.run_for(100 * MS);
    let mut reader = modes::request(&mut world, modes::READ);
    reader.wait = Some(100 * MS);
    let reader = world.obtain(alice, reader);
    world.run_for(120 * MS);
    let by = Holder::Queue;
    let reason = NotObtained::TimedOut { by };
    assert_eq!(
        world.last(alice, reader),
        Some(not_obtained(reader, reason))
    );
}
