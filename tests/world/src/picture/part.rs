//! A part of a schedule, to be drawn larger.

use std::str::FromStr;

use tenure_core::Instant;

/// From when to when, in seconds as on the scale of the whole picture: `12.5..13`.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Part {
    pub(super) from: Instant,
    pub(super) to: Instant,
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted =
            || format!("{text} is no part of time: give seconds from and to, as in 12.5..13");
        let (from, to) = text.split_once("..").ok_or_else(wanted)?;
        let seconds = |text: &str| {
            let seconds: f64 = text.trim().parse().map_err(|_| wanted())?;
            // A day: far beyond the end of any schedule.
            if !(0. ..=86_400.).contains(&seconds) {
                return Err(wanted());
            }
            Ok(Instant::from_micros((seconds * 1e6).round() as u64))
        };
        let (from, to) = (seconds(from)?, seconds(to)?);
        if from < to {
            Ok(Self { from, to })
        } else {
            Err(wanted())
        }
    }
}

impl Part {
    pub(super) fn has(&self, at: Instant) -> bool {
        (self.from..self.to).contains(&at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_two_ends_in_order() {
        let part: Part = "12.5..13".parse().unwrap();
        let micros = |part: Part| (part.from.as_micros(), part.to.as_micros());
        assert_eq!(micros(part), (12_500_000, 13_000_000));
        for wrong in [
            "", "3", "3..", "..3", "3..3", "4..3", "-1..3", "1..inf", "1..NaN", "1..1e9",
        ] {
            assert!(wrong.parse::<Part>().is_err(), "{wrong}");
        }
    }
}
