//! The page of guarantees and the checks of the oracle name the same promises.

use std::collections::BTreeSet;
use std::path::Path;

use tenure_tests::schedule::Schedule;
use tenure_tests::world::Promise;

/// The cells of the table of guarantees, without its head.
fn table() -> Vec<Vec<String>> {
    let page = include_str!("../../core/docs/guarantees.md");
    let from = page.find("| promise | holds while |").expect("a table");
    let lines = page[from..]
        .lines()
        .take_while(|line| line.starts_with('|'));
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect();
    lines.skip(2).map(cells).collect()
}

/// What stands between backticks.
fn names(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn every_guarantee_names_its_check_and_every_check_is_named() {
    let known: BTreeSet<String> = Promise::ALL.iter().map(|p| format!("{p:?}")).collect();
    assert_eq!(known.len(), Promise::ALL.len());
    let mut named = BTreeSet::new();
    for row in table() {
        let promises: Vec<_> = names(&row[3]).map(str::to_owned).collect();
        assert!(!promises.is_empty(), "no check is named for: {}", row[1]);
        named.extend(promises);
    }
    assert_eq!(named, known);
}

#[test]
fn every_scenario_that_the_page_names_exists() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut sources = String::new();
    for directory in [tests.clone(), tests.join("scenarios")] {
        for entry in directory.read_dir().expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|end| end == "rs") {
                sources += &std::fs::read_to_string(path).expect("a source");
            }
        }
    }
    for row in table() {
        for name in names(&row[4]) {
            assert!(sources.contains(&format!("fn {name}()")), "{name}");
        }
    }
}

/// Failovers that lose writes, clocks out of bounds, keys changed by hand: a run says which promises it could not
/// check because of that, and checks all others.
#[test]
fn where_an_assumption_is_broken_the_other_promises_are_still_checked() {
    // These rest on clocks and on the memory of servers.
    let may_be_excused = [Promise::Exclusion, Promise::Cover, Promise::NoFalseAlarm];
    let always = [
        Promise::Ends,
        Promise::Progress,
        Promise::NothingLeft,
        Promise::Drains,
        Promise::OneTerminalEvent,
        Promise::Steps,
        Promise::Repeats,
        Promise::Splitting,
        Promise::Batches,
        Promise::EarlyTimeout,
        Promise::Sleeping,
        Promise::TimeBack,
        Promise::Advances,
    ];
    let mut times = [0; 3];
    for seed in 0..600 {
        let report = Schedule::from_seed(seed).play();
        assert_eq!(report.violation, None, "seed {seed}");
        // Two holders of one token may learn of their fences in another order: too rare to be counted. Clients that wait in
        // order have no turns, and their own clocks say for how long they have waited.
        let counted = |promise: &&Promise| {
            !matches!(
                promise,
                Promise::FencesGrow | Promise::Fair | Promise::InOrder
            )
        };
        for promise in report.excused.keys().filter(counted) {
            let at = may_be_excused.iter().position(|p| p == promise);
            times[at.unwrap_or_else(|| panic!("seed {seed}: {promise:?} is excused"))] += 1;
        }
        if !report.excused.is_empty() {
            for promise in always {
                let looks = report.checks.get(&promise).copied().unwrap_or(0);
                assert!(looks > 0, "seed {seed}: {promise:?} was never checked");
            }
        }
    }
    assert!(times.iter().all(|times| *times > 5), "{times:?}");
}
