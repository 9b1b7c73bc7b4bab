//! Times in texts for people.

use core::fmt;
use core::time::Duration;

/// A time for people, by unit and rounded down. It never shows more than the ttl that was requested: what is known of a key's
/// end includes the whole of its last millisecond.
pub(crate) struct Rough(pub(crate) Duration);

impl fmt::Display for Rough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis().saturating_sub(1);
        let seconds = ms / 1000;
        match ms {
            0..1000 => write!(f, "{ms} ms"),
            1000..10_000 => write!(f, "{seconds}.{} s", ms % 1000 / 100),
            10_000..120_000 => write!(f, "{seconds} s"),
            120_000..7_200_000 => write!(f, "{} min", seconds / 60),
            _ => write!(f, "{} h", seconds / 3600),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    #[test]
    fn no_more_time_is_shown_than_was_requested() {
        let shown = |ms| Rough(Duration::from_millis(ms)).to_string();
        assert_eq!([0, 301, 1000].map(shown), ["0 ms", "300 ms", "999 ms"]);
        assert_eq!([7999, 30_001].map(shown), ["7.9 s", "30 s"]);
        assert_eq!([120_001, 7_200_001].map(shown), ["2 min", "2 h"]);
    }
}
