//! What a client is told must not depend on the language that it is written in: the scenarios of the npm package, step
//! for step, over the tokio adapter. The traces are those that the package's own tests compare with.

use std::fmt::{Debug, Write as _};
use std::future::{Future, IntoFuture, ready};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tenure::{Locker, Loss, Released, Servers};
use tenure_tests::raw::Value;
use tenure_tests::servers::{Kind, Server};
use tracing::field::{Field, Visit};
use tracing::instrument::WithSubscriber as _;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

const HOUR: Duration = Duration::from_secs(3600);

/// What the package's tests expect, by scenario and client.
fn expected(scenario: &str, client: &str) -> Vec<&'static str> {
    let text = include_str!("../../bindings/npm/tests/traces.json");
    let (_, rest) = text
        .split_once(&format!("\"{scenario}\": {{"))
        .expect("the scenario");
    let (_, rest) = rest
        .split_once(&format!("\"{client}\": ["))
        .expect("the client");
    let (list, _) = rest.split_once(']').expect("its trace");
    list.split('"').skip(1).step_by(2).collect()
}

/// Notes the events of one driver in the words of the package.
#[derive(Clone, Default)]
struct Trace(Arc<Mutex<Vec<String>>>);

impl Trace {
    fn lines(&self) -> Vec<String> {
        self.0.lock().expect("no panic").clone()
    }

    /// Without those about nodes: in which order several come and go is theirs.
    fn lines_of_locks(&self) -> Vec<String> {
        let is_of_lock = |line: &String| !line.starts_with("node_");
        self.lines().into_iter().filter(is_of_lock).collect()
    }
}

impl Subscriber for Trace {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "tenure" && metadata.is_event()
    }

    fn event(&self, event: &Event<'_>) {
        let mut words = Words::default();
        event.record(&mut words);
        let line = match words.message.as_str() {
            "inspected" | "" => return,
            "node is ready" => "node_ready".to_owned() + &words.detail,
            "node is down" => return,
            other => other.replace(' ', "_") + &words.detail,
        };
        self.0.lock().expect("no panic").push(line);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Words {
    message: String,
    detail: String,
}

impl Visit for Words {
    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() == "tracking" && value {
            self.detail = " tracking".into();
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let shown = format!("{value:?}");
        match field.name() {
            "message" => self.message = shown,
            "reason" | "proof" => write!(self.detail, " {}", word(&shown)).expect("a string"),
            _ => {}
        }
    }
}

/// The package's word for what the core tells people.
fn word(shown: &str) -> &'static str {
    let words = [
        ("held by another client", "taken"),
        ("the key was deleted", "taken"),
        ("cancelled", "cancelled"),
        ("too few nodes replied", "unreachable"),
        ("released", "confirmed"),
        ("it was no longer held", "missing"),
    ];
    let found = words.iter().find(|(start, _)| shown.starts_with(start));
    found.unwrap_or_else(|| panic!("no word for {shown:?}")).1
}

async fn client(server: &Server) -> (Locker, Trace) {
    client_of(Servers::single(server.url())).await
}

async fn client_of(servers: Servers) -> (Locker, Trace) {
    let trace = Trace::default();
    let servers = servers.request_timeout(Duration::from_secs(2));
    let (locker, driver) = tenure::tokio::open(servers).expect("a URL");
    tokio::spawn(driver.with_subscriber(trace.clone()));
    locker.ready().await.expect("the server");
    (locker, trace)
}

/// Three servers, all of them there: a client begins as soon as two are.
async fn client_of_three(servers: &[Server; 3]) -> (Locker, Trace) {
    let (locker, trace) = client_of(Servers::quorum(servers.each_ref().map(Server::url))).await;
    let ready = |line: &&String| line.starts_with("node_ready");
    while trace.lines().iter().filter(ready).count() < 3 {
        tokio::task::yield_now().await;
    }
    (locker, trace)
}

/// Polls once, so that it asks, and drops it.
async fn ask_and_withdraw<T>(obtaining: impl Future<Output = T>) {
    tokio::select! {
        biased;
        _ = obtaining => panic!("it cannot be there yet"),
        () = ready(()) => {}
    }
}

#[tokio::test]
async fn life_of_a_lock() {
    let server = Server::start(Kind::Redis7);
    let ((a, a_trace), (b, b_trace)) = (client(&server).await, client(&server).await);

    let lock = a
        .obtain("nightly")
        .ttl(HOUR)
        .metadata("host-7")
        .await
        .expect("free");
    for _ in 0..2 {
        assert!(b.obtain("nightly").await.is_err());
    }
    assert!(
        lock.remaining_on_servers()
            .await
            .expect("an answer")
            .is_some()
    );
    lock.refresh_for(2 * HOUR).await.expect("held");
    assert_eq!(lock.release().await, Released::Confirmed);
    let both = b.obtain(["nightly", "other"]).await.expect("free");
    both.release().await;

    assert_eq!(a_trace.lines(), expected("life of a lock", "a"));
    assert_eq!(b_trace.lines(), expected("life of a lock", "b"));
}

#[tokio::test]
async fn wait_and_hand_off() {
    let server = Server::start(Kind::Redis7);
    let ((a, a_trace), (b, b_trace)) = (client(&server).await, client(&server).await);
    let first = a.obtain("k").ttl(HOUR).await.expect("free");
    let waiting = tokio::spawn(b.obtain("k").ttl(HOUR).wait(HOUR).into_future());
    tokio::task::yield_now().await;

    first.release().await;

    waiting
        .await
        .expect("no panic")
        .expect("its turn")
        .release()
        .await;
    assert_eq!(a_trace.lines(), expected("wait and hand-off", "a"));
    assert_eq!(b_trace.lines(), expected("wait and hand-off", "b"));
}

#[tokio::test]
async fn abort() {
    let server = Server::start(Kind::Redis7);
    let ((a, a_trace), (b, b_trace)) = (client(&server).await, client(&server).await);
    let lock = a.obtain("k").ttl(HOUR).await.expect("free");
    ask_and_withdraw(b.obtain("k").wait(HOUR).into_future()).await;
    lock.release().await;
    ask_and_withdraw(b.obtain("k").ttl(HOUR).into_future()).await;
    b.close().await;

    assert_eq!(server.raw().command(&["EXISTS", "k"]), Value::Int(0));
    assert_eq!(a_trace.lines(), expected("abort", "a"));
    assert_eq!(b_trace.lines(), expected("abort", "b"));
}

#[tokio::test]
async fn loss_by_del() {
    let server = Server::start(Kind::Redis7);
    let (a, trace) = client(&server).await;
    for _ in 0..2 {
        let lock = a.obtain("k").ttl(HOUR).await.expect("free");
        server.raw().command(&["DEL", "k"]);
        assert_eq!(lock.lost().await, Loss::Taken);
    }
    a.obtain("k").await.expect("free").release().await;

    assert_eq!(trace.lines(), expected("loss by DEL", "a"));
}

#[tokio::test]
async fn loss_that_only_the_release_finds() {
    let server = Server::start(Kind::Redis7);
    let (a, trace) = client_of(Servers::single(server.url()).tracking(false)).await;
    for _ in 0..4 {
        let lock = a.obtain("k").ttl(HOUR).await.expect("free");
        server.raw().command(&["DEL", "k"]);
        assert_eq!(lock.release().await, Released::Missing);
    }
    for _ in 0..2 {
        let lock = a.obtain("k").ttl(HOUR).await.expect("free");
        assert_eq!(lock.release().await, Released::Confirmed);
    }

    let expected = expected("loss that only the release finds", "a");
    assert_eq!(trace.lines(), expected);
}

#[tokio::test]
async fn server_killed_and_back() {
    let mut server = Server::start(Kind::Redis7);
    let (a, trace) = client(&server).await;
    let held = a.obtain("k").ttl(HOUR).await.expect("free");
    server.kill();
    assert!(a.obtain("j").await.is_err());
    server.restart();
    assert_eq!(held.lost().await, Loss::Taken);
    let lock = a.obtain("j").wait(HOUR).await.expect("free");
    lock.release().await;

    assert_eq!(trace.lines(), expected("server killed and back", "a"));
}

#[tokio::test]
async fn quorum_of_three() {
    let mut servers = [(); 3].map(|()| Server::start(Kind::Redis7));
    let (a, a_trace) = client_of_three(&servers).await;
    let (b, b_trace) = client_of_three(&servers).await;
    let lock = a.obtain("k").ttl(HOUR).await.expect("free");
    for server in &servers {
        // Two are enough to go on; the third has been asked, too.
        while server.raw().command(&["EXISTS", "k"]) != Value::Int(1) {
            tokio::task::yield_now().await;
        }
    }
    servers[0].kill();
    assert!(b.obtain("k").await.is_err());
    assert_eq!(lock.release().await, Released::Confirmed);
    let other = b.obtain("k").ttl(HOUR).wait(HOUR).await.expect("free");
    other.release().await;
    servers[1].kill();
    assert!(b.obtain("k").await.is_err());

    assert_eq!(a_trace.lines_of_locks(), expected("quorum of three", "a"));
    assert_eq!(b_trace.lines_of_locks(), expected("quorum of three", "b"));
}

#[tokio::test]
async fn thousand_waiters_on_one_key() {
    let server = Server::start(Kind::Redis7);
    let (a, trace) = client(&server).await;
    let waiters: Vec<_> = (0..1_000)
        .map(|_| a.obtain("k").wait(HOUR).into_future())
        .map(|obtaining| tokio::spawn(async { obtaining.await.expect("its turn").release().await }))
        .collect();
    for waiter in waiters {
        assert_eq!(waiter.await.expect("no panic"), Released::Confirmed);
    }

    let mut lines = Vec::new();
    for line in trace.lines() {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    assert_eq!(lines, expected("1000 waiters on one key", "a"));
}
