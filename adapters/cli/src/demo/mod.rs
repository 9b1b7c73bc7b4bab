//! `tenure demo`: the main job, to watch and to check.

mod lanes;
mod ledger;
mod plan;
mod timeline;
mod worker;

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::lanes::Pen;
use self::timeline::Timeline;
use self::worker::{Place, Worker};
use crate::args::DemoArgs;
use crate::failure::{Exit, Failure, Outcome};
use tenure::tokio::Memory;

/// Runs the workers, prints what they do, and checks that no two held the lock at once.
pub(crate) async fn demo(args: DemoArgs) -> Outcome {
    let workers = usize::from(args.workers);
    let is_embedded = args.servers.urls.is_empty();
    let acks = args.replicas.acks();
    if is_embedded && acks.is_some() {
        let words =
            "the embedded server has no replicas: give --url, or leave out --acks and --persisted";
        return Err(Failure::usage(words));
    }
    let (key, where_it_is) = if is_embedded {
        ("demo".to_owned(), "the embedded server")
    } else {
        (own_key(), "your server")
    };
    let place = if is_embedded {
        Place::Embedded(Memory::new())
    } else {
        Place::Servers(Arc::new(args.servers), acks)
    };
    let pen = Pen {
        colours: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
    };
    say(&format!(
        "{workers} workers want the lock \"{key}\" on {where_it_is}. ttl {} ms, seed {}.\n\n{}\n\n{}\n",
        worker::TTL.as_millis(),
        args.seed,
        pen.legend(),
        pen.head(workers),
    ))?;

    let (reports, mut received) = mpsc::unbounded_channel();
    let mut timeline = Timeline::new(pen, workers, Instant::now());
    let mut tasks = JoinSet::new();
    for (number, turns) in plan::plan(workers, args.seed).into_iter().enumerate() {
        let worker = Worker {
            number,
            turns,
            key: key.clone(),
            place: place.clone(),
            reports: reports.clone(),
        };
        let _ = tasks.spawn(worker.work());
    }
    drop(reports);
    while let Some(report) = received.recv().await {
        if let Some(line) = timeline.describe(report) {
            say(&format!("{line}\n"))?;
        }
    }
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|error| Failure::system("a worker failed", error))??;
    }
    say(&format!("\n{}", timeline.summary()))?;
    if timeline.is_sound() {
        Ok(0)
    } else {
        Err(Failure::new(
            Exit::Broken,
            "two workers held the lock at once",
        ))
    }
}

/// A key on a server with other things on it.
fn own_key() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    format!(
        "tenure-demo-{:x}",
        now.unwrap_or_default().as_nanos() ^ u128::from(std::process::id())
    )
}

fn say(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::system("cannot print", error))
}
