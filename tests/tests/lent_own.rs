//! Clients of one's own carry out the commands of lockers: one within the process that passes reports on, and a blocking one.

mod lent;

use std::collections::{BTreeMap, VecDeque};
use std::future::IntoFuture as _;
use std::sync::{Arc, Mutex};
use std::time::Instant as StdInstant;

use lent::{HOUR, LONG, is_unreachable, loss};
use tenure::client::{Command, CommandTransport, Reply, Report, TransportError, lend};
use tenure::{ConnectError, Locker, Loss, Released, Retry, Servers};
use tenure_core::Instant;
use tenure_core::memory::{ConnId, Options, Output, Server as Memory};
use tenure_core::redis::resp::{self, DecodeLimits, Decoder, Item};
use tenure_tests::raw::{Raw, Value, encode};
use tenure_tests::servers::{Kind, Server};
use tenure_tests::suite::everything;
use tokio::sync::{Mutex as AsyncMutex, mpsc};
use tokio::time::timeout;

/// An embedded server, and what is on its way to its clients.
struct Hub {
    server: Memory,
    started: StdInstant,
    inboxes: BTreeMap<ConnId, Inbox>,
    /// The names of the commands that came.
    seen: Vec<String>,
}

struct Inbox {
    decoder: Decoder,
    replies: VecDeque<Reply>,
    reports: mpsc::UnboundedSender<Report>,
}

impl Hub {
    fn new() -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            server: Memory::new(Options::default()),
            started: StdInstant::now(),
            inboxes: BTreeMap::new(),
            seen: Vec::new(),
        }))
    }

    fn now(&self) -> Instant {
        Instant::from_micros(1) + self.started.elapsed()
    }

    /// Everything that comes of these bytes, at once.
    fn send(&mut self, conn: ConnId, bytes: &[u8]) {
        let now = self.now();
        self.server.handle_timeout(now);
        self.server.handle_input(conn, bytes, now);
        while let Output::Transmit { conn, bytes } = self.server.poll_output() {
            let inbox = self.inboxes.get_mut(&conn).expect("a client");
            inbox.decoder.feed(bytes);
            while let Ok(Some(reply)) = inbox.decoder.next_reply() {
                if reply.is_push() {
                    inbox.reports.send(report(reply)).expect("it listens");
                } else {
                    inbox.replies.push_back(of_reply(reply));
                }
            }
        }
    }
}

fn report(push: resp::Reply<'_>) -> Report {
    let keys = push.children().nth(1).expect("the keys");
    let key = keys.children().next();
    key.and_then(|key| key.as_bytes().map(<[u8]>::to_vec))
        .map_or(Report::AllChanged, Report::Changed)
}

fn of_reply(reply: resp::Reply<'_>) -> Reply {
    match reply.item() {
        Item::Null => Reply::Nil,
        Item::Integer(number) => Reply::Integer(number),
        Item::Error(line) => Reply::Error(String::from_utf8_lossy(line).into_owned()),
        Item::Simple(text) | Item::Bulk(text) => Reply::Text(text.to_vec()),
        Item::Array(_) | Item::Map(_) | Item::Set(_) => {
            Reply::List(reply.children().map(of_reply).collect())
        }
        Item::Boolean(_)
        | Item::Double(_)
        | Item::BigNumber(_)
        | Item::Verbatim(_)
        | Item::Push(_) => panic!("no command of a locker is answered with it"),
    }
}

/// A client of the embedded server that speaks RESP3.
struct InProcess {
    hub: Arc<Mutex<Hub>>,
    conn: ConnId,
    reports: AsyncMutex<mpsc::UnboundedReceiver<Report>>,
}

impl InProcess {
    fn new(hub: &Arc<Mutex<Hub>>) -> Self {
        let (sender, reports) = mpsc::unbounded_channel();
        let mut state = hub.lock().expect("the hub");
        let conn = state.server.connect();
        let inbox = Inbox {
            decoder: Decoder::new(DecodeLimits::default()),
            replies: VecDeque::new(),
            reports: sender,
        };
        state.inboxes.insert(conn, inbox);
        state.send(conn, &encode(&["HELLO", "3"]));
        state.inboxes.get_mut(&conn).expect("it").replies.clear();
        Self {
            hub: Arc::clone(hub),
            conn,
            reports: reports.into(),
        }
    }
}

impl CommandTransport for InProcess {
    async fn send(&self, commands: Vec<Command>) -> Result<Vec<Reply>, TransportError> {
        let mut hub = self.hub.lock().expect("the hub");
        let names = commands.iter().map(|command| command.name().to_vec());
        let names = names.map(|name| String::from_utf8(name).expect("a name"));
        hub.seen.extend(names);
        let bytes: Vec<u8> = commands
            .iter()
            .flat_map(|command| command.encoded().iter().copied())
            .collect();
        hub.send(self.conn, &bytes);
        let inbox = hub.inboxes.get_mut(&self.conn).expect("its own");
        Ok(inbox.replies.drain(..).collect())
    }

    fn reports(&self) -> bool {
        true
    }

    async fn report(&self) -> Report {
        let mut reports = self.reports.lock().await;
        reports.recv().await.expect("the hub lives")
    }

    fn name(&self) -> String {
        "in process".into()
    }
}

/// A connection that blocks, opened when it is needed.
struct Blocking {
    port: u16,
    raw: Mutex<Option<Raw>>,
}

impl Blocking {
    fn new(server: &Server) -> Self {
        Self {
            port: server.port(),
            raw: Mutex::new(None),
        }
    }
}

impl CommandTransport for Blocking {
    async fn open(&self) -> Result<(), TransportError> {
        *self.raw.lock().expect("the connection") = Some(Raw::try_tcp(self.port)?);
        Ok(())
    }

    async fn send(&self, commands: Vec<Command>) -> Result<Vec<Reply>, TransportError> {
        let mut raw = self.raw.lock().expect("the connection");
        let raw = raw.as_mut().ok_or("not open")?;
        let mut replies = Vec::new();
        for command in &commands {
            let args: Vec<&[u8]> = command.args().collect();
            replies.push(of_value(raw.try_command(&args)?));
        }
        Ok(replies)
    }
}

fn of_value(value: Value) -> Reply {
    match value.clone() {
        Value::Null => Reply::Nil,
        Value::Int(number) => Reply::Integer(number),
        Value::Error(line) => Reply::Error(line),
        Value::Simple(text) => Reply::Text(text.into()),
        Value::Bulk(bytes) => Reply::Text(bytes),
        Value::Array(items) => Reply::List(items.into_iter().map(of_value).collect()),
        Value::Push(_)
        | Value::Map(_)
        | Value::Set(_)
        | Value::Double(_)
        | Value::Bool(_)
        | Value::Big(_) => panic!("not in RESP2: {value:?}"),
    }
}

/// In the table of the suite.
const OWN: &str = "own client";

#[tokio::test]
async fn a_client_within_the_process_gives_the_same_locks() {
    let hub = Hub::new();
    let locker = || tenure::tokio::connect(lend(InProcess::new(&hub)));
    let (alice, bob) = (locker().await, locker().await);
    let (alice, bob) = (alice.expect("a locker"), bob.expect("a locker"));
    everything("own client, with reports", alice, bob).await;
    let state = hub.lock().expect("the hub");
    let left = state.server.keys(state.now());
    let locks = left.filter(|name| !name.ends_with(b"~fence"));
    assert_eq!(locks.count(), 0, "only counters are left");
}

/// Without a report, either would take an hour.
#[tokio::test]
async fn reports_of_a_lent_client_wake_a_waiter_and_reveal_a_loss() {
    let hub = Hub::new();
    let locker = || tenure::tokio::connect(lend(InProcess::new(&hub)));
    let (alice, bob) = (locker().await.expect("one"), locker().await.expect("one"));
    let obtain = |locker: &Locker| locker.obtain("k").ttl(HOUR).manual();
    let lock = obtain(&alice).await.expect("the lock");
    let waits = obtain(&bob).wait(HOUR).retry(Retry::every(HOUR));
    let waits = tokio::spawn(waits.into_future());
    // It was denied, and has requested the remaining time: now the server has a registration of it.
    let seen = |hub: &Mutex<Hub>| hub.lock().expect("the hub").seen.clone();
    while seen(&hub).iter().filter(|name| *name == "SET").count() < 2 {
        tokio::task::yield_now().await;
    }
    lock.release().await;
    let next = timeout(LONG, waits).await.expect("a wake within a minute");
    let lock = next.expect("no panic").expect("the lock");

    let carol = InProcess::new(&hub);
    let delete = encode(&["DEL", "k"]);
    hub.lock().expect("the hub").send(carol.conn, &delete);
    assert_eq!(loss(&lock).await, Loss::Taken);
}

#[tokio::test]
async fn a_blocking_client_of_ones_own_gives_the_same_locks_on_a_server() {
    let server = Server::start(Kind::Redis7);
    let lent = tenure::tokio::connect(lend(Blocking::new(&server)));
    let own = tenure::tokio::connect(server.url());
    everything(OWN, lent.await.expect("one"), own.await.expect("one")).await;
    let lent = tenure::tokio::connect(lend(Blocking::new(&server)));
    let own = tenure::tokio::connect(server.url());
    everything(OWN, own.await.expect("one"), lent.await.expect("one")).await;
}

#[test]
fn a_lent_client_works_on_every_runtime() {
    let server = Server::start(Kind::Valkey9);
    let lent = || Servers::from(lend(Blocking::new(&server)));
    smol::block_on(async {
        let (alice, bob) = (tenure::smol::connect(lent()), tenure::smol::connect(lent()));
        everything(OWN, alice.await.expect("one"), bob.await.expect("one")).await;
    });
    async_std::task::block_on(async {
        let alice = tenure::async_std::connect(lent());
        let bob = tenure::async_std::connect(lent());
        everything(OWN, alice.await.expect("one"), bob.await.expect("one")).await;
    });
    let locker = tenure::blocking::connect(lent()).expect("one");
    let lock = locker.obtain("k").block().expect("the lock");
    assert_eq!(lock.release(), Released::Confirmed);
    locker.close();
}

/// One server of three is lent, and another one ends.
#[tokio::test]
async fn a_lent_client_is_one_server_of_a_quorum() {
    let mut servers: Vec<Server> = (0..3).map(|_| Server::start(Kind::Redis7)).collect();
    let quorum = Servers::quorum([
        lend(Blocking::new(&servers[0])),
        servers[1].url().into(),
        servers[2].url().into(),
    ]);
    let locker = tenure::tokio::connect(quorum).await.expect("a locker");
    let lock = locker.obtain("k").await.expect("the lock");
    assert_eq!(servers[0].raw().command(&["EXISTS", "k"]).int(), 1);
    servers.pop();
    lock.refresh().await.expect("two of three are enough");
    assert_eq!(lock.release().await, Released::Confirmed);
    locker.close().await;
}

#[test]
fn the_same_client_does_not_count_twice() {
    let server = Server::start(Kind::Redis7);
    let lent = lend(Blocking::new(&server));
    let other = lend(Blocking::new(&server));
    let twice = Servers::quorum([lent.clone(), other, lent]).check();
    assert!(
        matches!(&twice, Err(ConnectError::SameServer { address }) if address == "a client"),
        "{twice:?}"
    );
}

#[tokio::test]
async fn a_server_that_ends_and_comes_back_is_used_again() {
    let mut server = Server::start(Kind::Redis7);
    let locker = tenure::tokio::connect(lend(Blocking::new(&server)));
    let locker = locker.await.expect("a locker");
    let lock = locker.obtain("k").ttl(HOUR).await.expect("the lock");
    server.kill();
    is_unreachable(&locker).await;
    server.restart();
    // It keeps nothing on disk.
    let loss = timeout(LONG, async {
        while lock.refresh().await.is_ok() {}
        lock.lost().await
    });
    assert_eq!(loss.await.expect("a loss within a minute"), Loss::Taken);
    let again = locker.obtain("k").wait(LONG).await.expect("the lock");
    assert_eq!(again.release().await, Released::Confirmed);
}

/// Answers with what the test wants to a command of this name.
struct Odd {
    inner: InProcess,
    to: &'static str,
    with: Mutex<Option<Result<Reply, &'static str>>>,
}

impl CommandTransport for Odd {
    async fn send(&self, commands: Vec<Command>) -> Result<Vec<Reply>, TransportError> {
        let met = commands
            .iter()
            .position(|one| one.name() == self.to.as_bytes());
        let mut replies = self.inner.send(commands).await?;
        if let Some(index) = met
            && let Some(odd) = self.with.lock().expect("an answer").take()
        {
            replies[index] = odd?;
        }
        Ok(replies)
    }
}

#[tokio::test]
async fn a_reply_that_no_server_gives_is_unknown_and_is_checked() {
    for with in [
        Err("lost"),
        Ok(Reply::Integer(7)),
        Ok(Reply::Text("QUEUED".into())),
    ] {
        let hub = Hub::new();
        let odd = Odd {
            inner: InProcess::new(&hub),
            to: "SET",
            with: Mutex::new(Some(with.clone())),
        };
        let locker = tenure::tokio::connect(lend(odd)).await.expect("a locker");
        // The server has granted it; only the answer says nothing.
        let lock = locker.obtain("k").wait(LONG).await.expect("the lock");
        assert_eq!(lock.release().await, Released::Confirmed, "{with:?}");
        let state = hub.lock().expect("the hub");
        assert!(state.server.is_empty(state.now()), "{with:?}");
    }
}

#[tokio::test]
async fn an_unusable_client_is_reported_with_the_reason() {
    let port = {
        let mut server = Server::start(Kind::Redis7);
        server.kill();
        server.port()
    };
    let raw = Mutex::new(None);
    let failed = tenure::tokio::connect(lend(Blocking { port, raw })).await;
    let error = failed.expect_err("nobody listens").to_string();
    assert!(error.contains("a client: Connection refused"), "{error}");
}
