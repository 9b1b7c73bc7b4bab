//! One of the processes that want the key.

use std::str::FromStr;
use std::time::{Duration, Instant};

use tenure::tokio::connect;
use tenure::{Locker, Servers};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{timeout, timeout_at};

/// The first argument of such a process.
pub(crate) const FLAG: &str = "--as-process";
/// Far longer than any measurement: a wait that ends by itself is a fault.
const WAIT: Duration = Duration::from_secs(30);
/// How long a measurement may overrun before the process counts as stuck.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// How several servers work together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrangement {
    Single,
    Ordered,
    Quorum,
}

impl Arrangement {
    pub(crate) const ALL: [Self; 3] = [Self::Single, Self::Ordered, Self::Quorum];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Ordered => "ordered",
            Self::Quorum => "quorum",
        }
    }

    pub(crate) const fn nodes(self) -> usize {
        match self {
            Self::Single => 1,
            Self::Ordered | Self::Quorum => 3,
        }
    }
}

/// How a lock ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// `release().await`
    Release,
    Drop,
}

impl End {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Drop => "drop",
        }
    }
}

/// The command line of a process.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) key: String,
    pub(crate) hold: Duration,
    pub(crate) end: End,
    /// Threads of its runtime; 1 is a runtime on the current thread.
    pub(crate) threads: usize,
    pub(crate) arrangement: Arrangement,
    pub(crate) urls: Vec<String>,
}

impl Job {
    pub(crate) fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            FLAG.to_owned(),
            self.key.clone(),
            self.hold.as_micros().to_string(),
            self.end.name().to_owned(),
            self.threads.to_string(),
            self.arrangement.name().to_owned(),
        ];
        arguments.extend(self.urls.iter().cloned());
        arguments
    }

    /// Reads what [`arguments`](Self::arguments) wrote, without the flag.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Self {
        let mut next = || arguments.next().expect("one more argument");
        let key = next();
        let hold = Duration::from_micros(number(&next()));
        let end = match next().as_str() {
            "drop" => End::Drop,
            _ => End::Release,
        };
        let threads = number(&next());
        let name = next();
        let known = Arrangement::ALL.into_iter().find(|one| one.name() == name);
        Self {
            key,
            hold,
            end,
            threads,
            arrangement: known.expect("an arrangement"),
            urls: arguments.collect(),
        }
    }

    fn servers(&self) -> Servers {
        let urls = self.urls.clone();
        let servers = match self.arrangement {
            Arrangement::Single => Servers::single(urls.concat()),
            Arrangement::Ordered => Servers::ordered(urls),
            Arrangement::Quorum => Servers::quorum(urls),
        };
        servers.prepare(true)
    }

    fn runtime(&self) -> Runtime {
        let mut builder = match self.threads {
            1 => Builder::new_current_thread(),
            _ => Builder::new_multi_thread(),
        };
        let builder = builder.worker_threads(self.threads).enable_all();
        builder.build().expect("a runtime")
    }
}

/// What became of one worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// How often it had the lock.
    pub(crate) obtained: u64,
    /// Its longest wait; also one that was still under way when the time was over.
    pub(crate) longest: Duration,
    /// How many of its waits failed.
    pub(crate) failed: u64,
}

impl Report {
    fn to_line(&self) -> String {
        let micros = self.longest.as_micros();
        format!("worker {} {micros} {}", self.obtained, self.failed)
    }

    /// Reads a line of another process; `None` for any other line.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut numbers = line.strip_prefix("worker ")?.split(' ').map(number);
        let mut next = || numbers.next().expect("three numbers");
        Some(Self {
            obtained: next(),
            longest: Duration::from_micros(next()),
            failed: next(),
        })
    }
}

/// Says "ready" when it is connected. Then, for each line "workers microseconds", lets so many workers contend for so
/// long, and says what became of each, and "done".
pub(crate) fn run(job: &Job) {
    let runtime = job.runtime();
    let locker = runtime.block_on(connect(job.servers())).expect("a locker");
    println!("ready");
    for line in std::io::stdin().lines() {
        let line = line.expect("text");
        let (workers, micros) = line.split_once(' ').expect("workers and microseconds");
        let length = Duration::from_micros(number(micros));
        let contend = async {
            let workers = contend(&locker, job, number(workers), length);
            timeout(length + LONGEST_WAIT, workers).await
        };
        for report in runtime.block_on(contend).expect("no worker is stuck") {
            println!("{}", report.to_line());
        }
        println!("done");
    }
    runtime.block_on(locker.close());
}

async fn contend(locker: &Locker, job: &Job, workers: u64, length: Duration) -> Vec<Report> {
    let deadline = Instant::now() + length;
    let mut running = JoinSet::new();
    for _ in 0..workers {
        running.spawn(work(locker.clone(), job.clone(), deadline));
    }
    running.join_all().await
}

async fn work(locker: Locker, job: Job, deadline: Instant) -> Report {
    let mut report = Report::default();
    loop {
        let asked = Instant::now();
        if asked >= deadline {
            return report;
        }
        let obtaining = locker.obtain(&job.key).wait(WAIT).into_future();
        let result = timeout_at(deadline.into(), obtaining).await;
        report.longest = report.longest.max(asked.elapsed());
        match result {
            Ok(Ok(lock)) => {
                report.obtained += 1;
                hold(job.hold).await;
                match job.end {
                    End::Release => drop(lock.release().await),
                    End::Drop => drop(lock),
                }
            }
            Ok(Err(error)) => {
                if report.failed == 0 {
                    eprintln!("a wait failed after {:?}: {error}", asked.elapsed());
                }
                report.failed += 1;
            }
            Err(_) => return report,
        }
    }
}

/// Work: a timer would take a millisecond at least, and a sleep of the thread would stop the runtime.
async fn hold(length: Duration) {
    let start = Instant::now();
    while start.elapsed() < length {
        yield_now().await;
    }
}

fn number<T: FromStr>(text: &str) -> T {
    text.parse().ok().expect("a number")
}
