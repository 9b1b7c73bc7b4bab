//! Plays simulated schedules on all cores. See `--help`.
#![allow(clippy::print_stdout, reason = "a program that reports")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use mimalloc::MiMalloc;
use tenure_tests::picture::{Part, draw};
use tenure_tests::schedule::{Report, Schedule, shrink};
use tenure_tests::trials::{Contest, Goal, ManyLocks, goals};
use tenure_tests::world::Promise;

const HELP: &str = "\
tests/sim [--seeds N] [--from SEED] [--jobs N] [--resume]   plays so many seeds; ends with 1 if a promise was broken
tests/sim --prompt N                                        plays so many worlds of many locks of each kind
tests/sim --fair                                            prints the shares of engines that contend
tests/sim --seed N [--shrink] [--svg FILE [--part A..B]]    prints or draws one schedule, whole or shortened
tests/sim --file BYTES …                                    the same for one that is given as bytes

--seeds N   how many (default 10000)        --from SEED   the first (default 0)
--jobs N    how many at a time (default: one per core)   --show N      how many broken promises to list (default 20)
--resume    goes on where the last run with --resume ended (target/sim-state)";

const STATE: &str = "target/sim-state";
const CHUNK: u64 = 50;

/// Worlds come and go hundreds of times a second.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[derive(Default)]
struct Args {
    seeds: u64,
    from: u64,
    jobs: usize,
    resume: bool,
    one: Option<One>,
    prompt: Option<u64>,
    fair: bool,
    show: usize,
    shrink: bool,
    svg: Option<PathBuf>,
    part: Option<Part>,
}

/// A single schedule.
enum One {
    Seed(u64),
    File(PathBuf),
}

/// What all workers have found.
#[derive(Default)]
struct Found {
    broken: Vec<(u64, String)>,
    checks: BTreeMap<Promise, u64>,
    excused: BTreeMap<Promise, u64>,
    time: Duration,
    /// Chunks that are done, beyond the first that is not.
    done: Vec<u64>,
}

fn main() -> ExitCode {
    if std::env::args().any(|word| matches!(&*word, "--help" | "-h")) {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let args = match parse() {
        Ok(args) => args,
        Err(problem) => {
            eprintln!("{problem}\n{HELP}");
            return ExitCode::from(2);
        }
    };
    if let Some(count) = args.prompt {
        return prompt(count);
    }
    if args.fair {
        return fair();
    }
    let Some(one) = &args.one else {
        return run(&args);
    };
    print_one(one, &args).unwrap_or_else(|problem| {
        eprintln!("{problem}");
        ExitCode::from(2)
    })
}

fn parse() -> Result<Args, String> {
    let mut args = Args {
        seeds: 10_000,
        show: 20,
        jobs: std::thread::available_parallelism().map_or(1, usize::from),
        ..Args::default()
    };
    let mut words = std::env::args().skip(1).peekable();
    while let Some(word) = words.next() {
        let value = words.next_if(|_| !matches!(&*word, "--resume" | "--shrink" | "--fair"));
        let value = || value.clone().ok_or_else(|| format!("{word} wants a value"));
        let path = || value().map(PathBuf::from);
        let number = || {
            let value = value()?;
            value
                .parse::<u64>()
                .map_err(|e| format!("{word} {value}: {e}"))
        };
        match word.as_str() {
            "--seeds" => args.seeds = number()?,
            "--from" => args.from = number()?,
            "--jobs" => args.jobs = usize::try_from(number()?.max(1)).unwrap_or(1),
            "--prompt" => args.prompt = Some(number()?),
            "--show" => args.show = usize::try_from(number()?).unwrap_or(usize::MAX),
            "--fair" => args.fair = true,
            "--seed" => args.one = Some(One::Seed(number()?)),
            "--file" => args.one = Some(One::File(path()?)),
            "--svg" => args.svg = Some(path()?),
            "--part" => args.part = Some(value()?.parse()?),
            "--resume" => args.resume = true,
            "--shrink" => args.shrink = true,
            _ => return Err(format!("unknown: {word}")),
        }
    }
    if args.resume {
        let state = std::fs::read_to_string(STATE).unwrap_or_default();
        args.from = state.trim().parse().unwrap_or(args.from);
    }
    Ok(args)
}

/// Plays worlds of many locks and counts those in which a promise was broken.
fn prompt(count: u64) -> ExitCode {
    let mut all = 0;
    for kind in ManyLocks::ALL {
        let mut broken: BTreeMap<Promise, u64> = BTreeMap::new();
        let mut first = None;
        for seed in 0..count {
            if let Err(violation) = kind.play(seed) {
                *broken.entry(violation.promise).or_default() += 1;
                first.get_or_insert_with(|| format!("seed {seed}: {violation}"));
                all += 1;
            }
        }
        println!("{kind:?}: broken in {broken:?} of {count}");
        if let Some(first) = first {
            println!("  {first}");
        }
    }
    ExitCode::from(u8::from(all > 0))
}

/// Plays contests and prints what came of them.
fn fair() -> ExitCode {
    for goal in goals() {
        for contest in goal.contest.everywhere() {
            show(&goal, &contest);
        }
    }
    ExitCode::SUCCESS
}

fn show(goal: &Goal, contest: &Contest) {
    let scores = contest.play();
    println!(
        "{}: {:?} {:?} {} {:?} drops {}: least share {} %, worker {} % of the mean, longest {:?}",
        goal.name,
        contest.engines,
        contest.latency,
        contest.nodes,
        contest.arrangement,
        contest.drops,
        scores.least_share(),
        scores.least_worker(),
        scores.longest_wait(),
    );
    println!("  {:?}", scores.engines);
    if let Some(missed) = goal.missed(&scores) {
        println!("  missed: {missed}");
    }
}

/// Prints a schedule, or draws it.
fn print_one(one: &One, args: &Args) -> Result<ExitCode, String> {
    let (mut name, mut schedule) = match one {
        One::Seed(seed) => (format!("Seed {seed}"), Schedule::from_seed(*seed)),
        One::File(path) => {
            let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
            (path.display().to_string(), Schedule::from_bytes(&bytes))
        }
    };
    let broken = schedule.play().violation.filter(|_| args.shrink);
    if let Some(violation) = broken {
        schedule = shrink(&schedule, violation.promise).0;
        name += ", shortened";
    }
    let report = if let Some(path) = &args.svg {
        let (report, record) = schedule.record();
        let title = format!("{name}: {}", schedule.describe());
        let picture = draw(&title, &report, &record, args.part);
        std::fs::write(path, picture).map_err(|e| format!("{}: {e}", path.display()))?;
        report
    } else {
        let report = schedule.play_logged();
        println!("{}", report.lines.join("\n"));
        println!("bytes: {:?}", schedule.to_bytes());
        report
    };
    if let Some(violation) = report.violation {
        println!("{name}: {violation}");
        return Ok(ExitCode::FAILURE);
    }
    println!("{name}: every promise was kept");
    Ok(ExitCode::SUCCESS)
}

fn run(args: &Args) -> ExitCode {
    let bar = ProgressBar::new(args.seeds).with_style(
        ProgressStyle::with_template("{bar:40} {pos}/{len} seeds, {per_sec}, {eta} left {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let (next, found) = (AtomicU64::new(0), Mutex::new(Found::default()));
    let (begun, busy) = (Instant::now(), cpu_time());
    std::thread::scope(|scope| {
        for _ in 0..args.jobs {
            scope.spawn(|| work(args, &next, &found, &bar));
        }
    });
    bar.finish_and_clear();
    let found = found
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    summary(args, &found, begun.elapsed(), cpu_time() - busy);
    if found.broken.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn work(args: &Args, next: &AtomicU64, found: &Mutex<Found>, bar: &ProgressBar) {
    loop {
        let chunk = next.fetch_add(1, Ordering::Relaxed);
        let begin = chunk * CHUNK;
        if begin >= args.seeds {
            return;
        }
        let end = (begin + CHUNK).min(args.seeds);
        let mut mine = Found::default();
        for seed in (args.from + begin)..(args.from + end) {
            let report = Schedule::from_seed(seed).play();
            mine.add(seed, report);
        }
        let mut all = found
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        all.merge(mine, chunk);
        if args.resume {
            let whole = all.first_open() * CHUNK;
            // Not to be written is no reason to stop: then the next run begins earlier.
            std::fs::write(STATE, (args.from + whole.min(args.seeds)).to_string()).ok();
        }
        if let Some((seed, _)) = all.broken.first() {
            bar.set_message(format!("{} broken, first seed {seed}", all.broken.len()));
        }
        drop(all);
        bar.inc(end - begin);
    }
}

impl Found {
    fn add(&mut self, seed: u64, report: Report) {
        if let Some(violation) = report.violation {
            self.broken.push((seed, violation.to_string()));
        }
        for (promise, count) in report.checks {
            *self.checks.entry(promise).or_default() += count;
        }
        for (promise, count) in report.excused {
            *self.excused.entry(promise).or_default() += count;
        }
        self.time += report.time;
    }

    fn merge(&mut self, other: Self, chunk: u64) {
        self.broken.extend(other.broken);
        self.broken.sort();
        for (promise, count) in other.checks {
            *self.checks.entry(promise).or_default() += count;
        }
        for (promise, count) in other.excused {
            *self.excused.entry(promise).or_default() += count;
        }
        self.time += other.time;
        self.done.push(chunk);
    }

    /// The first chunk that is not done.
    fn first_open(&mut self) -> u64 {
        self.done.sort_unstable();
        let done = self.done.iter().zip(0..);
        done.take_while(|(chunk, at)| *chunk == at).count() as u64
    }
}

/// What all threads of this process have computed so far: the clock on the wall goes on while others compute.
fn cpu_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(
        now.tv_sec.try_into().unwrap_or(0),
        now.tv_nsec.try_into().unwrap_or(0),
    )
}

fn summary(args: &Args, found: &Found, took: Duration, busy: Duration) {
    println!("promise          checked and kept     excused (an assumption was broken on purpose)");
    for promise in Promise::ALL {
        let count = |of: &BTreeMap<Promise, u64>| of.get(&promise).copied().unwrap_or(0);
        let (kept, excused) = (count(&found.checks), count(&found.excused));
        println!("{:<16} {kept:>18} {excused:>9}", format!("{promise:?}"));
    }
    let (seconds, busy) = (took.as_secs_f64(), busy.as_secs_f64());
    println!(
        "{} schedules from seed {}, {:.0} virtual seconds each, in {seconds:.1} s and {busy:.1} s of computing: {:.0} per core-second",
        args.seeds,
        args.from,
        found.time.as_secs_f64() / args.seeds as f64,
        args.seeds as f64 / busy,
    );
    for (seed, violation) in found.broken.iter().take(args.show) {
        println!("seed {seed}: {violation}");
        if args.show > 20 {
            println!("  {}", Schedule::from_seed(*seed).describe());
        }
    }
    if !found.broken.is_empty() {
        println!(
            "{} broken. Print one: tests/sim --seed N --shrink",
            found.broken.len()
        );
    }
}
