#![doc = include_str!("../README.md")]

pub mod laws;
#[cfg(feature = "picture")]
pub mod picture;
pub mod schedule;
pub mod trials;
pub mod world;
