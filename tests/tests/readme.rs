//! README.md: its Rust example is compiled and run as it is printed, and the page stays short.

use std::sync::OnceLock;

use tenure_tests::raw::Value;
use tenure_tests::servers::{Kind, Server};

/// The program of the README, with nothing changed but the address (see `build.rs`).
mod example {
    #![allow(clippy::print_stdout, reason = "the example prints")]

    include!(concat!(env!("OUT_DIR"), "/readme.rs"));

    pub(super) fn run() -> Result<(), Box<dyn std::error::Error>> {
        main()
    }
}

static ADDRESS: OnceLock<String> = OnceLock::new();

fn address() -> &'static str {
    ADDRESS.get().expect("the test has started a server")
}

#[test]
fn the_example_obtains_a_lock_and_releases_it() {
    let server = Server::start(Kind::Redis7);
    ADDRESS.set(server.url()).expect("set once");

    example::run().expect("the example succeeds");

    let mut raw = server.raw();
    let calls = raw.command(&["INFO", "commandstats"]).text();
    assert!(calls.contains("cmdstat_set:calls=1,"), "{calls}");
    assert_eq!(raw.command(&["EXISTS", "nightly"]), Value::Int(0));
}

#[test]
fn the_page_has_at_most_900_words() {
    let words = include_str!("../../README.md").split_whitespace().count();
    assert!(words <= 900, "README.md has {words} words");
}
