//! Takes the Rust example out of README.md, so that `tests/readme.rs` compiles and runs it as a reader sees it.

use std::path::Path;
use std::{env, fs};

/// The one thing that is changed: no test can rely on a server at the default port.
const ADDRESS: &str = "\"redis://127.0.0.1:6379\"";

fn main() {
    let readme = Path::new("../README.md");
    println!("cargo::rerun-if-changed={}", readme.display());
    let text = fs::read_to_string(readme).expect("README.md at the root of the repository");
    let blocks: Vec<&str> = text
        .split("```rust\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default())
        .collect();
    let [program] = blocks[..] else {
        panic!(
            "README.md has {} Rust examples instead of one",
            blocks.len()
        );
    };
    assert!(
        program.contains(ADDRESS),
        "the example connects to {ADDRESS}"
    );
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(
        Path::new(&out).join("readme.rs"),
        program.replace(ADDRESS, "super::address()"),
    )
    .expect("a file in OUT_DIR");
}
