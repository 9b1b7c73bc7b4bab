//! The contract between a locker and a client that carries out its commands.

use std::error::Error;
use std::future::Future;

use super::command::{Command, Reply};

/// Why nobody knows what became of commands, or why a client cannot be used. Its text appears in errors and logs.
pub type TransportError = Box<dyn Error + Send + Sync>;

/// Carries out commands: a client that you already have. The [module](crate::client) has the contract.
pub trait CommandTransport: Send + Sync + 'static {
    /// Carries out commands in order, and returns one reply for each.
    ///
    /// # Errors
    /// Nobody knows what became of the commands.
    fn send(
        &self,
        commands: Vec<Command>,
    ) -> impl Future<Output = Result<Vec<Reply>, TransportError>> + Send;

    /// Called before the first command, and again after each error. Default: does nothing.
    ///
    /// # Errors
    /// The client cannot be used now. It is called again after a [pause](crate::Servers::reconnect).
    fn open(&self) -> impl Future<Output = Result<(), TransportError>> + Send {
        std::future::ready(Ok(()))
    }

    /// Whether [`report`](Self::report) returns what the server reports. Then `CLIENT TRACKING ON NOLOOP` is the first command
    /// after [`open`](Self::open). If it is refused, changes are not reported after all. Default: no.
    fn reports(&self) -> bool {
        false
    }

    /// Waits for the next report. Dropping the future must lose none, and a report that comes late does no harm. Default: waits
    /// forever.
    fn report(&self) -> impl Future<Output = Report> + Send {
        std::future::pending()
    }

    /// Whether each command goes to the server that has the slot of its keys. Then a lock whose keys are in different slots is
    /// refused before anything is sent: [`ObtainError::DifferentSlots`](crate::ObtainError::DifferentSlots). Default: no.
    fn is_cluster(&self) -> bool {
        false
    }

    /// What to call it in errors and logs. Default: `a client`.
    fn name(&self) -> String {
        "a client".into()
    }
}

/// What a client receives without a request.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Report {
    /// This key has changed, as an `invalidate` push message says.
    Changed(Vec<u8>),
    /// Any key may have changed, as the same message with null says. Also if reports may have been missed.
    AllChanged,
    /// The connection is gone, and this is why. Reports and replies that were due over it will not come.
    Gone(String),
}
