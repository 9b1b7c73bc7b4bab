//! The contract of the two processes of a run, and the messages between them.
//!
//! The first process writes all that it knows as one line ([`Known`]) whenever any of it changes; the last line counts,
//! and the watchdog reads all of them before it reads the clock. It answers each time with what it has
//! done itself ([`Report`]). Neither ever waits for the other: what a pipe does not take is written again later.
//!
//! | | the first process | the watchdog |
//! |---|---|---|
//! | before the command | sends the lease, and starts the command only when the watchdog has repeated it; else it takes another watchdog | ends when its input does |
//! | a renewal | sends the new end at once | waits for it |
//! | `grace` before the end of the lease, or a loss | SIGTERM, sends when it will kill | waits until then |
//! | ¾ of `grace` before the end, and nothing sent | stopped or hung | SIGTERM, reports it |
//! | `margin` before the end, or the time sent | SIGKILL | SIGKILL, until nothing is left |
//! | the watchdog's report, after a stop | ends what is left; the status is 70 | |
//! | its end without a report | says so, guards alone | |
//! | the end of its input | | SIGTERM at once, SIGKILL after ¾ of `grace` and before `margin` |
//! | the command has ended | ends the watchdog, then releases | |
//!
//! A process that sends a signal does that first, and reports it afterwards.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// All that the first process knows and the watchdog must.
#[derive(Copy, Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Known {
    pub(crate) grace: Duration,
    /// When the lease ends, by [`crate::clock`].
    pub(crate) lease_end: Duration,
    /// The command was asked to end. Kill it then.
    pub(crate) kill_at: Option<Duration>,
    /// The command's number and when it was started.
    pub(crate) child: Option<(i32, u64)>,
    /// The first process's number, if nothing but the run descends from it.
    pub(crate) parent: Option<i32>,
}

/// What the watchdog has done, as answer to a line with this end of the lease.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Report {
    /// Nothing.
    Guards { lease_end: Duration },
    /// It has asked the command to end, and kills it then.
    Asked { kill_at: Duration },
}

/// Times are nanoseconds; 0 stands for what is not there.
impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (child, started) = self.child.unwrap_or_default();
        let kill_at = self.kill_at.unwrap_or_default();
        let [grace, lease, kill] = [self.grace, self.lease_end, kill_at].map(|t| t.as_nanos());
        let parent = self.parent.unwrap_or_default();
        writeln!(
            f,
            "grace {grace} lease {lease} kill {kill} child {child} {started} parent {parent}"
        )
    }
}

impl FromStr for Known {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, ()> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [
            "grace",
            grace,
            "lease",
            lease,
            "kill",
            kill,
            "child",
            child,
            started,
            "parent",
            parent,
        ] = *words
        else {
            return Err(());
        };
        let child = (number(child)?, number(started)?);
        let parent = number(parent)?;
        let kill_at = time(kill)?;
        Ok(Self {
            grace: time(grace)?,
            lease_end: time(lease)?,
            kill_at: (!kill_at.is_zero()).then_some(kill_at),
            child: (child.0 > 0).then_some(child),
            parent: (parent > 0).then_some(parent),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guards { lease_end } => writeln!(f, "guards {}", lease_end.as_nanos()),
            Self::Asked { kill_at } => writeln!(f, "asked {}", kill_at.as_nanos()),
        }
    }
}

impl FromStr for Report {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, ()> {
        match line.trim_end().split_once(' ') {
            Some(("guards", end)) => Ok(Self::Guards {
                lease_end: time(end)?,
            }),
            Some(("asked", at)) => Ok(Self::Asked { kill_at: time(at)? }),
            _ => Err(()),
        }
    }
}

fn number<T: FromStr>(word: &str) -> Result<T, ()> {
    word.parse().map_err(|_| ())
}

fn time(word: &str) -> Result<Duration, ()> {
    number(word).map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let least = Known {
            grace: Duration::ZERO,
            lease_end: Duration::from_nanos(u64::MAX),
            kill_at: None,
            child: None,
            parent: None,
        };
        let most = Known {
            grace: Duration::from_millis(5),
            kill_at: Some(Duration::from_secs(7)),
            child: Some((77, 5_000_000_000)),
            parent: Some(76),
            ..least
        };
        for known in [least, most] {
            assert_eq!(known.to_string().parse(), Ok(known));
        }
        for line in [
            "",
            "grace 1",
            "grace x lease 1 kill 0 child 0 0 parent 0",
            "grace 1 lease -1 kill 0 child 0 0 parent 0",
            "grace 1 lease 1 kill 0 child 0 0 parent 0 more",
        ] {
            assert_eq!(line.parse::<Known>(), Err(()), "{line}");
        }
        let (lease_end, kill_at) = (Duration::from_nanos(3), Duration::from_secs(4));
        for report in [Report::Guards { lease_end }, Report::Asked { kill_at }] {
            assert_eq!(report.to_string().parse(), Ok(report));
        }
        assert_eq!("guards".parse::<Report>(), Err(()));
    }
}
