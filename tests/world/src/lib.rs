#![doc = include_str!("../README.md")]

#[cfg(feature = "picture")]
pub mod picture;
pub mod schedule;
pub mod world;
