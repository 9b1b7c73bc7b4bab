//! One run of one scenario: its clients and their events.

use std::marker::PhantomData;
use std::time::Duration;

use futures_lite::future::yield_now;
use tenure::Servers;
use tenure_tests::servers::Server;

use crate::target::Target;
use crate::trace::{Trace, expected};

/// Which events must be those that are expected.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compared {
    All,
    /// Without those of nodes: in which order several come and go is theirs.
    OfLocks,
    /// Each of them once: how often depends on time.
    Kinds,
    KindsOfLocks,
}

pub(crate) struct Stage<T> {
    scenario: &'static str,
    compared: Compared,
    traces: Vec<(&'static str, Trace)>,
    target: PhantomData<T>,
}

impl<T: Target> Stage<T> {
    pub(crate) const fn new(scenario: &'static str) -> Self {
        Self {
            scenario,
            compared: Compared::All,
            traces: Vec::new(),
            target: PhantomData,
        }
    }

    pub(crate) fn compare(&mut self, compared: Compared) {
        self.compared = compared;
    }

    /// A locker on this server, whose events are noted under this name.
    pub(crate) async fn client(&mut self, name: &'static str, server: &Server) -> T::User {
        let server = T::reach(&server.url()).await;
        self.client_of(name, Servers::single(server)).await
    }

    pub(crate) async fn client_of(&mut self, name: &'static str, servers: Servers) -> T::User {
        let trace = Trace::default();
        let servers = servers.request_timeout(Duration::from_secs(2));
        let user = T::open(servers, &trace).await;
        self.traces.push((name, trace));
        user
    }

    /// A locker on several servers, once all of them are there: it begins as soon as there are enough.
    pub(crate) async fn client_of_all(
        &mut self,
        name: &'static str,
        arrange: fn(Vec<tenure::Server>) -> Servers,
        servers: &[Server],
    ) -> T::User {
        let mut reached = Vec::new();
        for server in servers {
            reached.push(T::reach(&server.url()).await);
        }
        let user = self.client_of(name, arrange(reached)).await;
        self.is_ready(name, servers.len()).await;
        user
    }

    /// Waits until servers have been ready so many times.
    pub(crate) async fn is_ready(&self, client: &str, times: usize) {
        let mut traces = self.traces.iter();
        let trace = traces.find_map(|(name, trace)| (*name == client).then_some(trace));
        let trace = trace.expect("a client");
        let ready = |line: &&String| line.starts_with("node_ready");
        while trace.lines().iter().filter(ready).count() < times {
            yield_now().await;
        }
    }

    /// The events must be those that the package's tests expect.
    pub(crate) async fn check(self) {
        let mut compared = 0;
        for (name, trace) in &self.traces {
            if let Some(expected) = expected(self.scenario, name) {
                trace.becomes(&expected, self.compared).await;
                compared += 1;
            }
        }
        assert!(compared > 0, "{} has no events", self.scenario);
    }
}
