//! What `tests/mutate` builds around a copy of the core with a mistake in it, to see what notices.
//!
//! `mutant whole SEEDS KNOWN FILE...` plays seeds from 1 on, then these inputs of the corpus, then worlds of many locks and contests,
//! until a promise is broken, and prints which of them broke which. `mutant short` plays neither of these. What
//! `KNOWN` names, with commas between, is left out; with "all" everything is played, whatever is broken.
#![allow(clippy::print_stdout, reason = "tests/mutate reads what it prints")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use tenure_tests::trials::{ManyLocks, goals};
use tenure_tests::{laws, schedule, search, world};

/// How many worlds of many locks of each kind.
const WORLDS: u64 = 100;
/// What takes so many seconds never ends: most take milliseconds, and none a second on an idle machine. Seconds in which
/// the whole machine stands still are not counted.
const LONGEST: u32 = 60;
const SECOND: Duration = Duration::from_secs(1);

/// One thing to play, and what it is called.
type Trial = (String, Box<dyn Fn() -> Option<String> + Send + Sync>);

fn main() {
    if let Some(mode) = std::env::args()
        .nth(1)
        .filter(|word| word.starts_with("--"))
    {
        return hunt(mode == "--whole", std::env::args().nth(2).is_some());
    }
    std::panic::set_hook(Box::new(|_| {}));
    let mut words = std::env::args().skip(1);
    let short = words.next().is_some_and(|stages| stages == "short");
    let seeds: u64 = words
        .next()
        .and_then(|n| n.parse().ok())
        .expect("how many seeds");
    let known = words.next().expect("known seeds");
    let known: Vec<&str> = known.split(',').collect();
    let all = known == ["all"];
    let wanted = |trial: &Trial| !known.contains(&trial.0.as_str());
    let mut stages = vec![by_seed(seeds), by_corpus(words.collect())];
    if !short {
        stages.extend([by_many_locks(), by_contest()]);
    }
    for stage in stages {
        let stage: Vec<Trial> = stage.into_iter().filter(wanted).collect();
        if play(&stage, all) && !all {
            return;
        }
    }
}

/// Plays on all cores. Without `all`, up to the first that breaks a promise. Whether one did.
fn play(trials: &[Trial], all: bool) -> bool {
    let (next, first) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let busy: Vec<Mutex<Option<(usize, u32)>>> = (0..threads).map(|_| Mutex::default()).collect();
    let (alive, ends) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        for busy in &busy {
            let (alive, next, first) = (alive.clone(), &next, &first);
            scope.spawn(move || {
                let _alive = alive;
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some((name, trial)) = trials.get(at) else {
                        return;
                    };
                    if !all && at > first.load(Ordering::Relaxed) {
                        return;
                    }
                    *busy.lock().expect("a lock") = Some((at, 0));
                    let promise = trial();
                    *busy.lock().expect("a lock") = None;
                    if let Some(promise) = promise {
                        println!("{at} {name} {promise}");
                        first.fetch_min(at, Ordering::Relaxed);
                    }
                }
            });
        }
        drop(alive);
        while let Err(mpsc::RecvTimeoutError::Timeout) = ends.recv_timeout(SECOND) {
            give_up_if_endless(trials, &busy);
        }
    });
    first.into_inner() != usize::MAX
}

/// Counts a second of each of these, and ends the process if one of them has been played for too long.
fn give_up_if_endless(trials: &[Trial], busy: &[Mutex<Option<(usize, u32)>>]) {
    for busy in busy {
        if let Some((at, seconds)) = &mut *busy.lock().expect("a lock") {
            *seconds += 1;
            if *seconds > LONGEST {
                println!("{at} {} never ends", trials[*at].0);
                std::process::exit(0);
            }
        }
    }
}

fn by_seed(seeds: u64) -> Vec<Trial> {
    let promise = |seed| {
        broken(|| schedule::Schedule::from_seed(seed).play().violation)
            .or_else(|| broken(|| laws::history(seed).err()))
    };
    (0..seeds)
        .map(|seed| trial(format!("{}", seed + 1), move || promise(seed)))
        .collect()
}

fn by_corpus(files: Vec<String>) -> Vec<Trial> {
    let play = |file: String| {
        let bytes = std::fs::read(&file).expect("a file of the corpus");
        trial(file, move || {
            broken(|| schedule::Schedule::from_bytes(&bytes).play().violation)
        })
    };
    files.into_iter().map(play).collect()
}

fn by_many_locks() -> Vec<Trial> {
    let kinds = ManyLocks::ALL.into_iter().enumerate();
    let worlds = kinds.flat_map(|(number, kind)| (0..WORLDS).map(move |seed| (number, kind, seed)));
    let play = |(number, kind, seed): (usize, ManyLocks, u64)| {
        trial(
            format!("many-locks-{}-{}", number + 1, seed + 1),
            move || broken(|| kind.play(seed).err()),
        )
    };
    worlds.map(play).collect()
}

/// The contests of `tests/tests/fair.rs`, without the longest.
fn by_contest() -> Vec<Trial> {
    let mut trials = Vec::new();
    for goal in goals()
        .into_iter()
        .filter(|goal| goal.contest.engines.len() < 16 || goal.contest.by_connection)
    {
        for contest in goal.contest.everywhere() {
            let name = format!(
                "contest {} {:?} {:?} {} {:?}{}",
                goal.name,
                contest.engines,
                contest.latency,
                contest.nodes,
                contest.arrangement,
                if contest.drops { " drops" } else { "" }
            )
            .replace(' ', "-");
            let goal = goal.clone();
            trials.push(trial(name, move || {
                let scores = std::panic::catch_unwind(|| contest.play());
                scores.map_or_else(|_| Some("panic".to_owned()), |scores| goal.missed(&scores))
            }));
        }
    }
    trials
}

fn hunt(whole: bool, short: bool) {
    std::panic::set_hook(Box::new(|_| {}));
    let mut before = 0;
    let plans = if short {
        search::worlds::short()
    } else {
        search::worlds::hunt()
    };
    for mut plan in plans {
        plan.limits.alike = !whole;
        plan.setup.absorbs = !whole;
        let name = plan.setup.name;
        let found = std::panic::catch_unwind(|| search::search(plan.setup, plan.limits));
        let Ok(report) = found else {
            return println!("0 {before} {name} => panic");
        };
        before += report.states;
        if let Some(fault) = report.fault {
            let why = fault.lines().last().unwrap_or_default();
            return println!("0 {before} {name} {why}");
        }
    }
}

fn trial(name: String, play: impl Fn() -> Option<String> + Send + Sync + 'static) -> Trial {
    (name, Box::new(play))
}

fn broken(play: impl Fn() -> Option<world::Violation>) -> Option<String> {
    let play = std::panic::AssertUnwindSafe(play);
    match std::panic::catch_unwind(play) {
        Ok(violation) => violation.map(|v| format!("{:?}", v.promise)),
        Err(_) => Some("panic".to_owned()),
    }
}
