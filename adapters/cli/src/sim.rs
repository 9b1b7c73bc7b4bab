//! `tenure sim`: a schedule of the simulation, as a log or as a timeline.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use tenure_world::picture;
use tenure_world::schedule::{Report, Schedule, shrink};

use crate::args::SimArgs;
use crate::failure::{Exit, Failure, Outcome};

/// Runs a schedule and prints or draws it. The status says whether every promise was kept.
pub(crate) fn sim(args: &SimArgs) -> Outcome {
    let (mut name, mut schedule) = match &args.file {
        Some(path) => (
            path.display().to_string(),
            Schedule::from_bytes(&read(path)?),
        ),
        None => (
            format!("Seed {}", args.seed),
            Schedule::from_seed(args.seed),
        ),
    };
    if args.shrink
        && let Some(violation) = schedule.play().violation
    {
        schedule = shrink(&schedule, violation.promise).0;
        name += ", shortened";
    }
    let (report, record) = schedule.record();
    let title = format!("{name}: {}", schedule.describe());
    let (verdict, status) = verdict(&name, &report);
    match args.svg.as_deref() {
        None => print(&run_text(&title, &report, &verdict))?,
        Some(path) => {
            let picture = picture::draw(&title, &report, &record, args.part);
            if path.as_os_str() == "-" {
                print(&picture)?;
                crate::output::say(&verdict);
            } else {
                fs::write(path, picture).map_err(|error| cannot_write(path, error))?;
                print(&format!("{verdict}\n"))?;
            }
        }
    }
    Ok(status)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::usage(format!("--file {}: {error}", path.display())))
}

fn cannot_write(path: &Path, error: std::io::Error) -> Failure {
    Failure::system(&format!("cannot write {}", path.display()), error)
}

/// One sentence, and the status that goes with it.
fn verdict(name: &str, report: &Report) -> (String, u8) {
    match &report.violation {
        None => (format!("{name}: every promise was kept"), 0),
        Some(violation) => (format!("{name}: {violation}"), Exit::Broken as u8),
    }
}

fn run_text(title: &str, report: &Report, verdict: &str) -> String {
    let mut text = format!("{title}\n\n");
    for line in &report.lines {
        text += line;
        text.push('\n');
    }
    text + "\n" + verdict + "\n"
}

/// A reader that closes the pipe early is no error.
fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::system("cannot print", error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use tenure_world::world::{Promise, Violation};

    use super::*;

    #[test]
    fn a_broken_promise_is_in_the_verdict_and_in_the_status() {
        let mut report = Report::default();
        assert_eq!(
            verdict("Seed 5", &report),
            ("Seed 5: every promise was kept".to_owned(), 0)
        );
        report.violation = Some(Violation {
            promise: Promise::Exclusion,
            how: "two at once".into(),
            at: tenure_core::Instant::from_micros(1_500_000),
        });
        let expected = "Seed 5: Exclusion broken at 1.500000s: two at once".to_owned();
        assert_eq!(verdict("Seed 5", &report), (expected, 1));
    }
}
