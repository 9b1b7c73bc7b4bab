//! The proving ground of Tenure: the engine that ships, in a world of virtual time that is decoded from bytes.
//!
//! It needs nothing but the core, so that it runs wherever the core does.

#[cfg(feature = "picture")]
pub mod picture;
pub mod schedule;
pub mod world;
