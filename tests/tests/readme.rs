//! README.md: its Rust example is compiled and run as it is printed, and the page stays short.

use std::sync::OnceLock;

use tenure_tests::raw::Value;
use tenure_tests::servers::{Kind, Server};

/// The program of the README, with nothing changed but the address (see `build.rs`).
mod example {
    #![allow(
        clippy::print_stdout,
        clippy::unused_async,
        reason = "the work of the example is short, and prints"
    )]

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

#[test]
fn the_pages_name_the_oldest_rust_that_the_manifest_promises() {
    let promised = format!("Rust {} or later", env!("CARGO_PKG_RUST_VERSION"));
    for (name, page) in [
        ("README.md", include_str!("../../README.md")),
        (
            "adapters/tenure/README.md",
            include_str!("../../adapters/tenure/README.md"),
        ),
        (
            "adapters/tenure/src/lib.rs",
            include_str!("../../adapters/tenure/src/lib.rs"),
        ),
    ] {
        assert!(page.contains(&promised), "{name}: {promised}");
    }
}
