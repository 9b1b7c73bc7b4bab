//! Values on servers.

use tenure_core::Instant;

use super::super::World;

impl World {
    /// Notes the values on a server now, if a record is kept.
    pub(crate) fn note_keys(&mut self, node: usize) {
        if self.net.record.is_some() {
            self.note_all_keys(node);
        }
    }

    #[cold]
    fn note_all_keys(&mut self, node: usize) {
        let Some(record) = &mut self.net.record else {
            return;
        };
        let of = &self.nodes[node];
        let own = of.clock.read(self.now);
        for key in self.request_counts.keys() {
            let name = [self.prefix, key.as_bytes()].concat();
            let found = of.server.holding(&name, own).map(|(value, last)| {
                // It is there for the whole of its last millisecond.
                let gone = last.map(|last| Instant::from_micros((last + 1) * 1000));
                let gone = gone.and_then(|gone| of.clock.when(gone));
                (value, gone.unwrap_or(Instant::from_micros(u64::MAX)))
            });
            let key = key.as_bytes().escape_ascii().to_string();
            record.stores(node, &key, found, self.now);
        }
    }
}
