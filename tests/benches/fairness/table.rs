//! The result: figures beside their goals.

use std::time::Duration;

use crate::cases::{Aim, obtained};
use crate::commands::Commands;
use crate::worker::Report;

/// What nobody gets less than: a process of two, a worker of the mean of all, in percent.
const SHARE: f64 = 25.0;
const LONGEST: Duration = Duration::from_millis(500);
/// How many times the rate of one worker several have.
const SPEEDUP: f64 = 1.5;

const WIDTHS: [usize; 8] = [17, 9, 10, 15, 9, 9, 16, 8];
const HEADS: [[&str; 8]; 3] = [
    [
        "obtains",
        "smaller",
        "longest",
        "workers:",
        "worst of",
        "commands",
        "hand-offs",
        "many to",
    ],
    [
        "by process",
        "share",
        "wait",
        "min / mean",
        "mean",
        "each",
        "a second",
        "one",
    ],
    ["", "≥ 25 %", "≤ 500 ms", "", "≥ 25 %*", "", "", "≥ 1.5"],
];

/// A figure, and whether it meets its goal where it has one.
#[derive(Clone, Default)]
struct Figure {
    text: String,
    missed: Option<bool>,
}

impl Figure {
    const fn plain(text: String) -> Self {
        Self { text, missed: None }
    }

    const fn judged(text: String, met: bool) -> Self {
        Self {
            text,
            missed: Some(!met),
        }
    }
}

/// What was measured of one case.
pub(crate) struct Row {
    name: String,
    aim: Aim,
    pub(crate) obtained: u64,
    figures: [Figure; 8],
    failed: u64,
    commands: Option<Commands>,
}

impl Row {
    pub(crate) fn new(name: String, aim: Aim) -> Self {
        Self {
            name,
            aim,
            obtained: 0,
            figures: std::array::from_fn(|_| Figure::default()),
            failed: 0,
            commands: None,
        }
    }

    /// Of several processes that contended for so long.
    pub(crate) fn with_reports(mut self, processes: &[Vec<Report>], length: Duration) -> Self {
        let by_process: Vec<u64> = processes.iter().map(|reports| obtained(reports)).collect();
        let workers: Vec<&Report> = processes.iter().flatten().collect();
        self.obtained = by_process.iter().sum();
        self.failed = workers.iter().map(|report| report.failed).sum();
        let smallest = by_process.iter().min().copied().unwrap_or_default();
        let share = float(smallest) / float(self.obtained) * 100.0;
        let text = format!("{share:.1} %");
        match self.aim {
            Aim::Shares => {
                let list: Vec<_> = by_process.iter().map(u64::to_string).collect();
                self.figures[0] = Figure::plain(list.join(" : "));
                self.figures[1] = Figure::judged(text, share >= SHARE);
            }
            Aim::Herd | Aim::Alone => {
                self.figures[0] = Figure::plain(self.obtained.to_string());
            }
        }
        let longest = workers.iter().map(|report| report.longest).max();
        let longest = longest.unwrap_or_default();
        let text = format!("{} ms", longest.as_millis());
        self.figures[2] = Figure::judged(text, longest <= LONGEST);

        let least = workers.iter().map(|report| report.obtained).min();
        let least = float(least.unwrap_or_default());
        let mean = float(self.obtained) / float(workers.len() as u64);
        self.figures[3] = Figure::plain(format!("{least:.0} / {mean:.0}"));
        let worst = least / mean * 100.0;
        let text = format!("{worst:.1} %");
        self.figures[4] = match self.aim {
            Aim::Herd => Figure::judged(text, worst >= SHARE),
            Aim::Shares | Aim::Alone => Figure::plain(text),
        };
        let rate = float(self.obtained) / length.as_secs_f64();
        self.figures[6] = Figure::plain(format!("{rate:.0}"));
        self
    }

    /// What the servers executed meanwhile.
    pub(crate) fn with_commands(mut self, commands: Commands) -> Self {
        let each = float(commands.total()) / float(self.obtained);
        self.figures[5] = Figure::plain(format!("{each:.1}"));
        self.commands = Some(commands);
        self
    }

    /// Of one process with many workers and then with one, in turns of this length.
    pub(crate) fn with_turns(
        mut self,
        turns: &[(Vec<Report>, Vec<Report>)],
        turn: Duration,
    ) -> Self {
        let all = turns.iter().flat_map(|(many, one)| many.iter().chain(one));
        self.failed = all.map(|report| report.failed).sum();
        // The best of each: what else runs on the machine makes turns slower, and never faster.
        let rate = |best: Option<u64>| float(best.unwrap_or_default()) / turn.as_secs_f64();
        let many = rate(turns.iter().map(|(many, _)| obtained(many)).max());
        let one = rate(turns.iter().map(|(_, one)| obtained(one)).max());
        self.figures[6] = Figure::plain(format!("{many:.0} : {one:.0}"));
        let ratio = many / one;
        self.figures[7] = Figure::judged(format!("{ratio:.2}"), ratio >= SPEEDUP);
        let both = turns
            .iter()
            .map(|(many, one)| obtained(many) + obtained(one));
        self.obtained = both.sum();
        self
    }
}

#[expect(clippy::cast_precision_loss, reason = "far less than 2^52")]
const fn float(count: u64) -> f64 {
    count as f64
}

/// Prints as it goes.
#[derive(Default)]
pub(crate) struct Table {
    rows: usize,
    judged: usize,
    missed: usize,
    failed: u64,
}

impl Table {
    pub(crate) fn print(&mut self, row: &Row) {
        if self.rows == 0 {
            for heads in HEADS {
                println!("{}", line("", heads.map(|head| format!("{head} "))));
            }
        }
        self.rows += 1;
        let texts = row.figures.clone().map(|figure| {
            self.judged += usize::from(figure.missed.is_some());
            let missed = figure.missed == Some(true);
            self.missed += usize::from(missed);
            format!("{}{}", figure.text, if missed { "!" } else { " " })
        });
        println!("{}", line(&row.name, texts));
        if row.failed > 0 {
            println!("    {} waits failed", row.failed);
            self.failed += row.failed;
        }
        if let (Aim::Herd, Some(commands)) = (row.aim, &row.commands) {
            println!("    each: {}", commands.per(float(row.obtained)));
        }
    }

    /// Says how many goals were missed, and how many waits failed; returns the sum.
    pub(crate) fn finish(self) -> u64 {
        let (missed, judged, failed) = (self.missed, self.judged, self.failed);
        println!(
            "{missed} of {judged} goals missed (!), {failed} waits failed; * of 16 processes only; commands are all \
             that servers executed, also within scripts"
        );
        missed as u64 + failed
    }
}

fn line(name: &str, texts: [String; 8]) -> String {
    let mut line = format!("{name:<58}");
    for (text, width) in texts.iter().zip(WIDTHS) {
        line.push_str(&format!(" {text:>width$}"));
    }
    line.trim_end().to_owned()
}
