//! What servers executed, by `INFO commandstats`.

use std::collections::BTreeMap;

use tenure_tests::servers::Server;

/// How often each command was executed; commands within scripts count as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Commands(BTreeMap<String, u64>);

impl Commands {
    /// Those of all these servers since they started.
    pub(crate) fn of<'a>(servers: impl IntoIterator<Item = &'a Server>) -> Self {
        let mut all = Self::default();
        for server in servers {
            let text = server.raw().command(&["INFO", "commandstats"]).text();
            for (name, calls) in text.lines().filter_map(parse) {
                *all.0.entry(name.to_owned()).or_default() += calls;
            }
        }
        // Neither is part of it: our question, and the introduction of connections that a quorum did not wait for.
        let introduces = |name: &str| name.contains('|') || ["hello", "info"].contains(&name);
        all.0.retain(|name, _| !introduces(name));
        all
    }

    pub(crate) fn since(&self, before: &Self) -> Self {
        let grown = self.0.iter().filter_map(|(name, calls)| {
            let more = calls - before.0.get(name).copied().unwrap_or_default();
            (more > 0).then(|| (name.clone(), more))
        });
        Self(grown.collect())
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Each command with its calls per `unit`, the most frequent first.
    pub(crate) fn per(&self, unit: f64) -> String {
        let mut commands: Vec<_> = self.0.iter().collect();
        commands.sort_by_key(|(_, calls)| std::cmp::Reverse(**calls));
        let each = commands.into_iter().map(|(name, calls)| {
            #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
            let calls = *calls as f64;
            format!("{name} {:.2}", calls / unit)
        });
        each.collect::<Vec<_>>().join(", ")
    }
}

/// Reads a line such as `cmdstat_set:calls=21,usec=175,…`.
fn parse(line: &str) -> Option<(&str, u64)> {
    let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
    let digits = rest.split(',').next()?;
    Some((name, digits.parse().ok()?))
}
