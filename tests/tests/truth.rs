//! Schedules do all that they are meant to do.

use std::collections::BTreeMap;
use std::sync::Mutex;

use tenure_tests::schedule::{INGREDIENTS, LINES, Schedule};

/// How many seeds a normal run plays.
const SEEDS: u64 = 2000;

#[test]
fn every_ingredient_of_schedules_is_in_the_seeds_of_a_normal_run() {
    let workers = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let all: Mutex<BTreeMap<&str, u64>> = Mutex::default();
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let all = &all;
            scope.spawn(move || {
                for seed in (worker..SEEDS).step_by(workers as usize) {
                    let used = Schedule::from_seed(seed).play().used;
                    let mut all = all.lock().expect("no panic");
                    for (name, count) in used {
                        *all.entry(name).or_default() += count;
                    }
                }
            });
        }
    });
    let all = all.into_inner().expect("no panic");
    let listed = [&INGREDIENTS[..], &LINES].concat();
    let missing: Vec<&str> = listed
        .iter()
        .copied()
        .filter(|name| !all.contains_key(name))
        .collect();
    assert!(missing.is_empty(), "{missing:?} of {all:?}");
    let unknown: Vec<&&str> = all.keys().filter(|name| !listed.contains(name)).collect();
    assert!(unknown.is_empty(), "not listed: {unknown:?}");
}
