//! What the scenarios are played on.

use std::sync::{Mutex, PoisonError};

use fred::prelude::*;
use fred::types::RespVersion;
use redis::aio::ConnectionManagerConfig;
use tenure::client::redis_rs::Pushes;
use tenure::{Locker, Servers};
use tenure_tests::suite::User;
use tracing::instrument::WithSubscriber as _;

use crate::threads::Threads;
use crate::trace::{self, Trace};

/// A runtime or threads, and a client that is lent or none.
pub(crate) trait Target {
    type User: User;

    /// In the table.
    const NAME: &'static str;

    /// What reaches the server of this URL.
    async fn reach(url: &str) -> tenure::Server {
        url.into()
    }

    /// A locker that is ready, and whose events are noted.
    async fn open(servers: Servers, trace: &Trace) -> Self::User;
}

/// A driver runs under any executor, if its runtime has a reactor of its own.
macro_rules! open {
    ($module:ident, $servers:ident, $trace:ident) => {{
        let (locker, driver) = tenure::$module::open($servers).expect("a server");
        tokio::spawn(driver.with_subscriber($trace.clone()));
        locker.ready().await.expect("the server");
        locker
    }};
}

macro_rules! runtime {
    ($name:ident, $module:ident) => {
        pub(crate) struct $name;

        impl Target for $name {
            type User = Locker;

            const NAME: &'static str = stringify!($module);

            async fn open(servers: Servers, trace: &Trace) -> Locker {
                open!($module, servers, trace)
            }
        }
    };
}

runtime!(Tokio, tokio);
runtime!(Smol, smol);
runtime!(AsyncStd, async_std);

pub(crate) struct Blocking;

impl Target for Blocking {
    type User = Threads;

    const NAME: &'static str = "blocking";

    /// Its driver has a thread of its own, of which nobody knows the name before its first event.
    async fn open(servers: Servers, trace: &Trace) -> Threads {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        trace::note_next_thread(trace);
        let locker = tenure::blocking::connect(servers).expect("the server");
        trace::wait_for_thread();
        Threads(locker)
    }
}

pub(crate) struct RedisRs;

impl Target for RedisRs {
    type User = Locker;

    const NAME: &'static str = "redis-rs, connection manager";

    async fn reach(url: &str) -> tenure::Server {
        let pushes = Pushes::new();
        let config = ConnectionManagerConfig::new().set_push_sender(pushes.sender());
        let client = redis::Client::open(format!("{url}/?protocol=resp3"));
        let client = client.expect("a URL");
        let connection = client.get_connection_manager_with_config(config).await;
        let connection = connection.expect("a connection");
        tenure::client::redis_rs::lend(connection)
            .pushes(pushes)
            .into()
    }

    async fn open(servers: Servers, trace: &Trace) -> Locker {
        open!(tokio, servers, trace)
    }
}

pub(crate) struct Fred;

impl Target for Fred {
    type User = Locker;

    const NAME: &'static str = "fred, RESP3";

    async fn reach(url: &str) -> tenure::Server {
        let mut config = Config::from_url(url).expect("a URL");
        config.version = RespVersion::RESP3;
        let mut builder = Builder::from_config(config);
        builder.set_policy(ReconnectPolicy::new_constant(0, 20));
        let client = builder.build().expect("a client");
        client.init().await.expect("a connection");
        tenure::client::fred::lend(client)
    }

    async fn open(servers: Servers, trace: &Trace) -> Locker {
        open!(tokio, servers, trace)
    }
}
