//! The same token twice: one holding with a count in one client, and no harm between two.

use std::time::Duration;

use tenure_core::memory::Options;
use tenure_core::{
    Event, Holder, LockId, Loss, NotObtained, Obtain, Released, Renewal, Token, Ttl,
};
use tenure_tests::trials::ARRANGEMENTS;
use tenure_tests::world::{ClientId, World};

use crate::{MS, TTL, ended, held, is_free, is_held, lost, pttl, released, until_held};

fn own(world: &mut World, keys: &str, ttl: Duration, renewal: Renewal) -> Obtain {
    let mut request = world.request(keys, ttl);
    request.token = Token::new("job-7").expect("a token");
    request.renewal = renewal;
    request
}

fn automatic(world: &mut World, keys: &str) -> Obtain {
    own(world, keys, TTL, Renewal::default())
}

/// A handle of three times [`TTL`] that nobody renews, and beside it one of a second.
#[track_caller]
fn long_and_short(world: &mut World, clients: [ClientId; 2], renewal: Renewal) -> [LockId; 2] {
    let request = own(world, "k", 3 * TTL, Renewal::Manual);
    let long = held(world, clients[0], request);
    let request = own(world, "k", 1000 * MS, renewal);
    [long, held(world, clients[1], request)]
}

/// Servers with and without tracking, with and without a command that compares; one node and three.
fn worlds() -> impl Iterator<Item = World> {
    let bits = [false, true].map(|tracking| [false, true].map(|compare| (tracking, compare)));
    bits.into_iter()
        .flatten()
        .flat_map(move |(tracking, compare)| {
            ARRANGEMENTS.map(|(nodes, arrangement)| {
                let mut options = Options::default();
                (options.tracking, options.compare) = (tracking, compare);
                World::with(nodes, arrangement, options, |_| {})
            })
        })
}

#[track_caller]
fn is_taken_for(world: &mut World, client: ClientId, key: &str) {
    let request = world.request(key, TTL);
    let lock = world.obtain(client, request);
    let end = ended(world, client, lock, 100 * MS);
    let Event::NotObtained { reason, .. } = end else {
        panic!("{end:?}");
    };
    assert!(matches!(reason, NotObtained::Taken { .. }), "{reason:?}");
}

#[test]
fn a_release_of_one_of_two_handles_leaves_the_other_held() {
    for mut world in worlds() {
        for first_first in [true, false] {
            let (alice, bob) = (world.client(), world.client());
            let request = automatic(&mut world, "k");
            let one = held(&mut world, alice, request.clone());
            let two = held(&mut world, alice, request);
            let (goes, stays) = if first_first { (one, two) } else { (two, one) };

            world.release(alice, goes);
            world.run_for(10 * MS);
            assert_eq!(world.last(alice, goes), released(goes, Released::Shared));
            is_taken_for(&mut world, bob, "k");
            world.run_for(3 * TTL);
            assert!(is_held(&world, alice, stays), "{:?}", world.events(alice));
            is_taken_for(&mut world, bob, "k");

            world.release(alice, stays);
            world.run_for(20 * MS);
            assert_eq!(
                world.last(alice, stays),
                released(stays, Released::Confirmed)
            );
            assert!(is_free(&mut world, "k"));
        }
    }
}

#[test]
fn a_cancelled_attempt_leaves_the_other_handle_held() {
    for moment in (0..8000).step_by(250) {
        for mut world in worlds() {
            let (alice, bob) = (world.client(), world.client());
            let request = automatic(&mut world, "k");
            let stays = held(&mut world, alice, request.clone());
            let goes = world.obtain(alice, request);
            world.run_for(Duration::from_micros(moment));

            world.release(alice, goes);
            world.run_for(20 * MS);

            assert!(is_held(&world, alice, stays), "{:?}", world.events(alice));
            assert!(!is_free(&mut world, "k"));
            is_taken_for(&mut world, bob, "k");
        }
    }
}

/// The one that was there first is released while the other asks: then the key must be there for that one.
#[test]
fn a_release_during_an_attempt_of_another_handle_leaves_it_the_key() {
    for moment in (0..8000).step_by(250) {
        for mut world in worlds() {
            let (alice, bob) = (world.client(), world.client());
            let request = automatic(&mut world, "k");
            let goes = held(&mut world, alice, request.clone());
            let stays = world.obtain(alice, request);
            world.run_for(Duration::from_micros(moment));

            world.release(alice, goes);
            until_held(&mut world, alice, stays, 100 * MS);
            world.run_for(20 * MS);

            assert!(is_held(&world, alice, stays), "{:?}", world.events(alice));
            assert!(!is_free(&mut world, "k"));
            is_taken_for(&mut world, bob, "k");
        }
    }
}

#[test]
fn a_handle_with_manual_renewal_outlives_the_release_of_its_sibling() {
    for mut world in worlds() {
        let (alice, bob) = (world.client(), world.client());
        let request = own(&mut world, "k", TTL, Renewal::Manual);
        let goes = held(&mut world, alice, request.clone());
        let stays = held(&mut world, alice, request);

        world.release(alice, goes);
        world.run_for(5000 * MS);
        is_taken_for(&mut world, bob, "k");
        world.refresh(alice, stays, None);
        world.run_for(9000 * MS);
        assert!(is_held(&world, alice, stays));
        is_taken_for(&mut world, bob, "k");
        world.run_for(1000 * MS);
        let loss = Loss::Expired { error: None };
        assert_eq!(world.last(alice, stays), lost(stays, loss));
    }
}

/// `b` belongs to two handles, `a` and `c` to one each.
#[test]
fn overlapping_handles_keep_shared_keys_and_free_the_others() {
    for mut world in worlds() {
        let (alice, bob) = (world.client(), world.client());
        let request = automatic(&mut world, "a+b");
        let goes = held(&mut world, alice, request);
        let request = automatic(&mut world, "b+c");
        let stays = held(&mut world, alice, request);

        world.release(alice, goes);
        world.run_for(20 * MS);
        assert!(is_free(&mut world, "a"), "nobody else had it");
        assert!(!is_free(&mut world, "b") && !is_free(&mut world, "c"));
        is_taken_for(&mut world, bob, "b");
        world.run_for(2 * TTL);
        assert!(is_held(&world, alice, stays));

        world.release(alice, stays);
        world.run_for(20 * MS);
        assert_eq!(
            world.last(alice, stays),
            released(stays, Released::Confirmed)
        );
        assert!(is_free(&mut world, "b") && is_free(&mut world, "c"));
    }
}

#[test]
fn a_key_that_the_last_of_three_overlapping_handles_holds_is_not_deleted() {
    for mut world in worlds() {
        let (alice, bob) = (world.client(), world.client());
        let locks = ["a+b", "b+c", "b"].map(|keys| {
            let request = automatic(&mut world, keys);
            held(&mut world, alice, request)
        });
        world.release(alice, locks[0]);
        world.release(alice, locks[1]);
        world.run_for(2 * TTL);
        assert!(is_held(&world, alice, locks[2]));
        assert!(is_free(&mut world, "a") && is_free(&mut world, "c"));
        is_taken_for(&mut world, bob, "b");
    }
}

/// A short ttl beside a long one, in one client: the short one ends, the long one goes on.
#[test]
fn a_short_handle_does_not_shorten_a_long_one_of_its_own_client() {
    for mut world in worlds() {
        let (alice, bob) = (world.client(), world.client());
        let [long, short] = long_and_short(&mut world, [alice, alice], Renewal::Manual);
        assert!(pttl(&mut world, "k") > 29_000);

        world.run_for(1100 * MS);
        let loss = Loss::Expired { error: None };
        assert_eq!(world.last(alice, short), lost(short, loss));
        world.run_for(20 * TTL / 10);
        assert!(is_held(&world, alice, long), "{:?}", world.events(alice));
        is_taken_for(&mut world, bob, "k");
    }
}

#[test]
fn a_renewal_of_a_short_handle_does_not_shorten_a_long_one_of_its_own_client() {
    for mut world in worlds() {
        let (alice, bob) = (world.client(), world.client());
        let [long, short] = long_and_short(&mut world, [alice, alice], Renewal::default());

        world.run_for(3000 * MS);
        world.release(alice, short);
        world.run_for(2 * TTL);
        assert!(is_held(&world, alice, long), "{:?}", world.events(alice));
        is_taken_for(&mut world, bob, "k");
    }
}

#[test]
fn an_obtain_of_another_client_with_the_same_token_shortens_nothing() {
    for mut world in worlds() {
        let (alice, bob, carol) = (world.client(), world.client(), world.client());
        let [long, _] = long_and_short(&mut world, [alice, bob], Renewal::Manual);
        let left = pttl(&mut world, "k");
        assert!(left > 29_000, "{left} ms");

        // Its process ends there.
        world.suspend(bob, true);
        world.run_for(2 * TTL);
        assert!(is_held(&world, alice, long), "{:?}", world.events(alice));
        is_taken_for(&mut world, carol, "k");
    }
}

#[test]
fn a_renewal_by_another_client_with_the_same_token_shortens_nothing() {
    for mut world in worlds() {
        let (alice, bob, carol) = (world.client(), world.client(), world.client());
        let [long, short] = long_and_short(&mut world, [alice, bob], Renewal::default());
        world.run_for(5000 * MS);
        assert!(is_held(&world, bob, short), "{:?}", world.events(bob));
        let left = pttl(&mut world, "k");
        assert!(left > 24_000, "{left} ms");

        world.suspend(bob, true);
        world.run_for(2 * TTL);
        assert!(is_held(&world, alice, long), "{:?}", world.events(alice));
        is_taken_for(&mut world, carol, "k");
    }
}

/// Nobody counts between clients: a release by one deletes the key, and the other one reports a loss.
#[test]
fn a_release_by_another_client_with_the_same_token_is_reported_as_a_loss() {
    let mut world = World::single();
    world.shares_tokens();
    let (alice, bob) = (world.client(), world.client());
    let request = automatic(&mut world, "k");
    let one = held(&mut world, alice, request.clone());
    let two = held(&mut world, bob, request);
    world.run_for(1000 * MS);
    world.release(bob, two);
    let end = ended(&mut world, alice, one, 5 * MS);
    assert_eq!(Some(end), lost(one, Loss::Taken));
}

#[test]
fn a_lease_of_another_client_with_the_same_token_that_ends_deletes_no_key_of_a_longer_one() {
    for mut world in worlds() {
        let (alice, bob, carol) = (world.client(), world.client(), world.client());
        let [long, short] = long_and_short(&mut world, [alice, bob], Renewal::Manual);

        world.run_for(2 * TTL);
        let loss = Loss::Expired { error: None };
        assert_eq!(world.last(bob, short), lost(short, loss));
        assert!(is_held(&world, alice, long), "{:?}", world.events(alice));
        is_taken_for(&mut world, carol, "k");
    }
}

#[test]
fn a_second_handle_is_obtained_however_long_the_first_one_is_held() {
    for rest in [0, 10, 100, 240, 260, 1000, 30_000].map(|ms| ms * MS) {
        for mut world in worlds() {
            for wait in [None, Some(1000 * MS)] {
                let alice = world.client();
                let mut request = automatic(&mut world, "k");
                let one = held(&mut world, alice, request.clone());
                world.run_for(rest);
                request.wait = wait;
                let two = world.obtain(alice, request);
                until_held(&mut world, alice, two, 20 * MS);
                world.release(alice, one);
                world.release(alice, two);
                world.run_for(20 * MS);
            }
        }
    }
}

/// Where servers report changes: a refresh for one second by another client is a change.
#[test]
fn a_refresh_of_another_client_with_the_same_token_cuts_no_current_lease() {
    let mut world = World::single();
    let (alice, bob, carol) = (world.client(), world.client(), world.client());
    let request = own(&mut world, "k", 3 * TTL, Renewal::default());
    let long = held(&mut world, alice, request);
    let request = own(&mut world, "k", 1000 * MS, Renewal::Manual);
    let short = held(&mut world, bob, request);
    let second = Ttl::new(1000 * MS).expect("a ttl");
    world.refresh(bob, short, Some(second));
    world.run_for(10 * MS);
    world.suspend(bob, true);

    for _ in 0..40 {
        world.run_for(500 * MS);
        assert!(is_held(&world, alice, long), "{:?}", world.events(alice));
        is_taken_for(&mut world, carol, "k");
    }
}

#[test]
fn one_value_is_held_by_ourselves_and_another_one_by_another_client() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let request = automatic(&mut world, "k");
    held(&mut world, alice, request);
    for (client, expected) in [(alice, Holder::Ourselves), (bob, Holder::Other)] {
        let request = world.request("k", TTL);
        let other = world.obtain(client, request);
        let end = ended(&mut world, client, other, 100 * MS);
        let Event::NotObtained {
            reason: NotObtained::Taken { by, .. },
            ..
        } = end
        else {
            panic!("{end:?}");
        };
        assert_eq!(by, expected);
    }
}
