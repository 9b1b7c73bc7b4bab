//! A client that is lent, without its type.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::command::{Command, Reply};
use super::transport::{CommandTransport, Report, TransportError};

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;
pub(crate) type Opening = Boxed<Result<(), TransportError>>;
pub(crate) type Calling = Boxed<Result<Vec<Reply>, TransportError>>;
pub(crate) type Reporting = Boxed<Report>;

/// Any client. Clones are the same client.
#[derive(Clone)]
pub(crate) struct Lent(Arc<dyn AnyTransport>);

/// What [`CommandTransport`] has, with futures that keep the client alive.
trait AnyTransport: Send + Sync {
    fn send(self: Arc<Self>, commands: Vec<Command>) -> Calling;
    fn open(self: Arc<Self>) -> Opening;
    fn report(self: Arc<Self>) -> Reporting;
    fn reports(&self) -> bool;
    fn is_cluster(&self) -> bool;
    fn name(&self) -> String;
}

impl<T: CommandTransport> AnyTransport for T {
    fn send(self: Arc<Self>, commands: Vec<Command>) -> Calling {
        Box::pin(async move { CommandTransport::send(&*self, commands).await })
    }

    fn open(self: Arc<Self>) -> Opening {
        Box::pin(async move { CommandTransport::open(&*self).await })
    }

    fn report(self: Arc<Self>) -> Reporting {
        Box::pin(async move { CommandTransport::report(&*self).await })
    }

    fn reports(&self) -> bool {
        CommandTransport::reports(self)
    }

    fn is_cluster(&self) -> bool {
        CommandTransport::is_cluster(self)
    }

    fn name(&self) -> String {
        CommandTransport::name(self)
    }
}

impl Lent {
    pub(crate) fn new(transport: impl CommandTransport) -> Self {
        Self(Arc::new(transport))
    }

    pub(crate) fn send(&self, commands: Vec<Command>) -> Calling {
        Arc::clone(&self.0).send(commands)
    }

    pub(crate) fn open(&self) -> Opening {
        Arc::clone(&self.0).open()
    }

    pub(crate) fn report(&self) -> Reporting {
        Arc::clone(&self.0).report()
    }

    pub(crate) fn reports(&self) -> bool {
        self.0.reports()
    }

    pub(crate) fn is_cluster(&self) -> bool {
        self.0.is_cluster()
    }
}

/// Its name.
impl fmt::Display for Lent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name())
    }
}

impl fmt::Debug for Lent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lent({self})")
    }
}

impl PartialEq for Lent {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Lent {}
