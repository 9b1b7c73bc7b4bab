//! Exhaustive search: every order of events in small worlds, over the real [`tenure_core::Locks`].
//!
//! A world has clients, nodes, and connections that keep their order. Whatever can happen next is a [`Step`]: a request
//! or an answer arrives, a timer goes off, time goes on to the next moment at which something is due, or one of a few
//! troubles strikes, such as a broken connection whose last request a node carries out much later. The locks are those
//! that users run. A node is no second model of the lock: it does what [`tenure_core::Op`] says, with a handful of keys.
//!
//! Two states are the same if nothing that can still happen distinguishes them, and what is alike may change places; the
//! module `fingerprint` says why that is sound, and [`audit()`] checks every pair of such states in a world. Most worlds
//! have few enough states that the search ends; the others are searched to a stated depth.
//!
//! The walk is our own. `stateright` keeps whole states and cannot let nodes change places cheaply, so that three nodes
//! with a broken connection and a crash did not fit into memory; where it can follow, a test compares both, state by
//! state. Liveness is a promise about every single state: from here, once trouble ends, somebody gets the lock.

mod audit;
mod client;
mod fair;
mod fingerprint;
mod laws;
mod node;
mod order;
mod per_key;
mod scripts;
mod setup;
mod state;
mod trail;
mod user;
mod walk;
pub mod worlds;

pub use audit::audit;
pub use per_key::Commands;
pub use setup::{Budget, Memory, Setup};
pub use state::{SearchState, Step};
pub use user::Wants;
pub use walk::{Limits, Report, search};
