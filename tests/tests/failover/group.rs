//! Servers of which one takes the place of another.

use std::time::{Duration, Instant};

use tenure_tests::servers::{Cluster, Sentinels, Server};

pub(crate) trait Group {
    /// A key that the master of `fail_over` has.
    fn key(&self) -> String;
    fn master(&self) -> &Server;
    fn wait_until_copied(&self, key: &str);
    fn cut_replica(&self);
    /// Without an election: the others are patient.
    fn end_master(&mut self);
    fn fail_over(&mut self);
}

impl Group for Cluster {
    fn key(&self) -> String {
        self.key_on(0, "k")
    }

    fn master(&self) -> &Server {
        &self.servers[0]
    }

    fn wait_until_copied(&self, key: &str) {
        self.wait_until_copied(key);
    }

    fn cut_replica(&self) {
        self.cut_replica(0);
    }

    fn end_master(&mut self) {
        self.servers[0].kill();
    }

    fn fail_over(&mut self) {
        self.fail_over(0);
    }
}

impl Group for Sentinels {
    fn key(&self) -> String {
        "k".into()
    }

    fn master(&self) -> &Server {
        &self.master
    }

    fn wait_until_copied(&self, key: &str) {
        self.wait_until_copied(key);
    }

    fn cut_replica(&self) {
        self.cut_replica();
    }

    fn end_master(&mut self) {
        self.master.kill();
    }

    fn fail_over(&mut self) {
        self.fail_over();
    }
}

/// Waits until the server has received that many requests for a lock.
pub(crate) fn is_asked(server: &Server, times: u64) {
    let mut raw = server.raw();
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        assert!(Instant::now() < deadline, "no {times} requests");
        let stats = raw.command(&["INFO", "commandstats"]).text();
        let (_, rest) = stats.split_once("cmdstat_set:calls=").unwrap_or_default();
        let (count, _) = rest.split_once(',').unwrap_or_default();
        if count.parse().unwrap_or(0) >= times {
            return;
        }
        std::thread::yield_now();
    }
}
