//! Refresh, renewal and release allocate nothing once the engine is warm, an obtain at most for its key.

use allocation_counter::{AllocationInfo, measure};
use tenure_core::LockId;
use tenure_tests::canned::{Canned, NodeKind};

#[test]
fn refresh_renewal_and_release_allocate_nothing() {
    for node in NodeKind::ALL {
        let mut canned = warm(node);
        let request = canned.request("k");
        let lock = canned.obtain(request);
        let refreshed = measure(|| canned.refresh(lock));
        let renewed = measure(|| canned.renew(1));
        let released = measure(|| canned.release(lock));
        for (what, info) in [
            ("refresh", refreshed),
            ("renewal", renewed),
            ("release", released),
        ] {
            assert_eq!(
                (info.count_total, info.bytes_total),
                (0, 0),
                "{node:?}: {what}"
            );
        }
    }
}

#[test]
fn an_obtain_allocates_at_most_for_its_key() {
    for node in NodeKind::ALL {
        let mut canned = warm(node);
        let request = canned.request("the name of a lock");
        let key = "the name of a lock".len() as u64;
        let mut lock = None;
        let info = measure(|| lock = Some(canned.obtain(request)));
        println!("{node:?}: an obtain allocates {info:?}");
        // Key and value as they go over the wire, each with its length and line ends: all commands of
        // the lock consist of them. Before them is the command that reads the remaining time, up to the key.
        assert_eq!(info.count_total, 1, "{info:?}");
        assert!(info.bytes_total <= 22 + key + 2 * 9 + 14, "{info:?}");
    }
}

#[test]
fn many_locks_at_once_allocate_no_more_than_one() {
    for node in NodeKind::ALL {
        let mut canned = warm(node);
        let held: Vec<LockId> = (0..100)
            .map(|i| {
                let request = canned.request(&format!("k{i}"));
                canned.obtain(request)
            })
            .collect();
        let info: AllocationInfo = measure(|| {
            for lock in &held {
                canned.refresh(*lock);
            }
            canned.renew(held.len());
            for lock in &held {
                canned.release(*lock);
            }
        });
        assert_eq!(info.count_total, 0, "{node:?}");
    }
}

/// Everything was used once, and more locks at once than any test has.
fn warm(node: NodeKind) -> Canned {
    let mut canned = Canned::new(node);
    for _ in 0..2 {
        let held: Vec<LockId> = (0..128)
            .map(|i| {
                let request = canned.request(&format!("warm {i}"));
                canned.obtain(request)
            })
            .collect();
        for lock in &held {
            canned.refresh(*lock);
        }
        canned.renew(held.len());
        for lock in held {
            canned.release(lock);
        }
    }
    canned
}

/// redisson#6832 and #6131, node-redlock PR #312: each key ever locked is remembered forever.
#[test]
fn locks_that_are_over_leave_nothing_behind() {
    for node in NodeKind::ALL {
        let mut canned = warm(node);
        let info = measure(|| {
            for i in 0..20_000 {
                let request = canned.request(&format!("a key of its own {i}"));
                let lock = canned.obtain(request);
                canned.release(lock);
            }
        });
        assert!(info.count_total > 20_000, "the requests alone");
        assert_eq!((info.count_current, info.bytes_current), (0, 0), "{node:?}");
    }
}
