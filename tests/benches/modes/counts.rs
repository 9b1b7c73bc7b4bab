//! What a server has carried out, by its own count.

use std::collections::BTreeMap;

use tenure_tests::raw::Raw;

/// How often each command was carried out, alone or in a script.
pub(crate) struct Counts(BTreeMap<String, usize>);

impl Counts {
    pub(crate) fn of(raw: &mut Raw) -> Self {
        let stats = raw.command(&["INFO", "commandstats"]).text().to_owned();
        let counts = stats.lines().filter_map(|line| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            // Ours, by which they are counted.
            if name == "info" {
                return None;
            }
            let calls = rest.split(',').next()?.parse().ok()?;
            Some((name.to_owned(), calls))
        });
        Self(counts.collect())
    }

    pub(crate) fn calls(&self, name: &str) -> usize {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// How many more commands than before.
    pub(crate) fn since(&self, before: &Self) -> usize {
        self.0.values().sum::<usize>() - before.0.values().sum::<usize>()
    }
}
