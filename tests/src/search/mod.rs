//! Exhaustive search: every order of events in small worlds, over the real [`tenure_core::Locks`].
//!
//! A world has clients, nodes, and connections that keep their order. Whatever can happen next is a [`Step`]: a request
//! or an answer arrives, a timer goes off, time goes on to the next moment at which something is due, or one of a few
//! troubles strikes, such as a broken connection whose last request a node carries out much later. The locks are those
//! that users run. A node is no second model of the lock: it does what [`tenure_core::Op`] says, with a handful of keys.
//!
//! Two states are the same if nothing that can still happen tells them apart. Times count as distances from now, values
//! by the order in which they turn up, and two clients may change places. Most worlds have few enough states that the
//! search comes to an end; the others are searched to a stated depth.
//!
//! `stateright` walks the states. It is a kept model checker that takes any state with a hash, so it drives the real
//! machines without a translation, and breadth first it finds a shortest way to a fault. Its own actors and networks are
//! not used, because time and delivery are what is searched here. Its `eventually` overlooks cycles, as its manual says;
//! liveness is therefore a promise about every single state: from here, once trouble ends, somebody gets the lock.

mod client;
mod fair;
mod fingerprint;
mod model;
mod node;
mod setup;
mod state;
mod story;
pub mod worlds;

pub use model::{Report, search};
pub use setup::{Budget, Memory, Setup};
pub use state::{State, Step};
