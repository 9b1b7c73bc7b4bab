//! The laws of `tests/world/src/laws` on random histories of `Locks`. Those of `Engine` are checked in every schedule.

use std::collections::BTreeMap;

use tenure_tests::laws::history;
use tenure_tests::world::Promise;

#[test]
fn every_law_holds_for_locks_as_for_engines() {
    let mut said = BTreeMap::<_, u32>::new();
    for seed in 0..2000 {
        let history = history(seed).unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
        let laws = [
            Promise::Repeats,
            Promise::EarlyTimeout,
            Promise::Sleeping,
            Promise::TimeBack,
            Promise::Batches,
            Promise::Advances,
        ];
        assert!(laws.iter().all(|law| history.laws.contains(law)));
        for event in history.events {
            let name = format!("{event:?}");
            let name = name.split(' ').next().unwrap_or_default().to_owned();
            *said.entry(name).or_default() += 1;
        }
    }
    // A history in which nothing happens keeps every law.
    for name in [
        "Obtained",
        "NotObtained",
        "Refreshed",
        "Lost",
        "Released",
        "Inspected",
    ] {
        assert!(
            said.get(name).is_some_and(|times| *times > 300),
            "{name}: {said:?}"
        );
    }
}
