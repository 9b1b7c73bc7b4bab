//! The proving ground of Tenure: the engine that ships, in a world of virtual time that is decoded from bytes.
//!
//! It needs nothing but the core, so that it runs wherever the core does.

pub mod laws;
pub mod schedule;
pub mod world;
