//! The timeline: a lane for each worker, a line for each thing that happened.

use std::time::Duration;

/// The state of a worker between two actions.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Lane {
    Away,
    Waiting,
    Holding,
    /// Gone, while its lease goes on.
    Crashed,
}

/// A sign in a lane or a part of a line, with its colour.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Ink {
    Plain,
    Dim,
    Good,
    Bad,
    New,
}

/// Draws lines, in colour or without.
pub(crate) struct Pen {
    pub(crate) colours: bool,
}

impl Pen {
    pub(crate) fn paint(&self, ink: Ink, text: &str) -> String {
        let code = match ink {
            _ if !self.colours => return text.to_owned(),
            Ink::Plain => return text.to_owned(),
            Ink::Dim => "2",
            Ink::Good => "32",
            Ink::Bad => "31;1",
            Ink::New => "36;1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// The heads of the columns.
    pub(crate) fn head(&self, workers: usize) -> String {
        let numbers: String = (1..=workers).map(|n| format!("{n:>3}")).collect();
        self.paint(Ink::Dim, &format!("{:>10}  {numbers}", "time"))
    }

    /// A line: the time, all lanes with `sign` in that of `worker`, and what happened.
    pub(crate) fn line(
        &self,
        at: Duration,
        lanes: &[Lane],
        action: Option<(usize, Ink, char)>,
        text: &str,
    ) -> String {
        let mut line = self.paint(Ink::Dim, &format!("{:>7.1} ms", millis(at)));
        line += "  ";
        for (worker, lane) in lanes.iter().enumerate() {
            let (ink, sign) = match action {
                Some((doer, ink, sign)) if doer == worker => (ink, sign),
                _ => sign_of(*lane),
            };
            line += "  ";
            line += &self.paint(ink, &sign.to_string());
        }
        format!("{}   {text}", line.trim_end_matches('\n'))
    }

    /// What the signs mean.
    pub(crate) fn legend(&self) -> String {
        let signs = [
            (Ink::Dim, '┊', "waits"),
            (Ink::New, '●', "obtains"),
            (Ink::Good, '┃', "holds"),
            (Ink::Good, '↻', "refreshes"),
            (Ink::Plain, '○', "releases"),
            (Ink::Bad, '✗', "crashes"),
            (Ink::Bad, '╏', "crashed, its lease still runs"),
        ];
        let signs =
            signs.map(|(ink, sign, name)| format!("{} {name}", self.paint(ink, &sign.to_string())));
        format!("{:>10}  {}", "", signs.join("  "))
    }
}

fn sign_of(lane: Lane) -> (Ink, char) {
    match lane {
        Lane::Away => (Ink::Plain, ' '),
        Lane::Waiting => (Ink::Dim, '┊'),
        Lane::Holding => (Ink::Good, '┃'),
        Lane::Crashed => (Ink::Bad, '╏'),
    }
}

/// For people: one digit behind the point is enough.
pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_with_their_heads() {
        let pen = Pen { colours: false };
        let lanes = [Lane::Waiting, Lane::Away, Lane::Holding];
        let line = pen.line(
            Duration::from_micros(1_500),
            &lanes,
            Some((1, Ink::New, '●')),
            "x",
        );
        assert_eq!(pen.head(3), "      time    1  2  3");
        assert_eq!(line, "    1.5 ms    ┊  ●  ┃   x");
    }

    #[test]
    fn without_colours_there_is_no_escape() {
        let lanes = [Lane::Crashed];
        let line = |colours| Pen { colours }.line(Duration::ZERO, &lanes, None, "x");
        assert!(!line(false).contains('\u{1b}'));
        assert!(line(true).contains('\u{1b}'));
    }
}
