//! What fuzzing has found worth keeping, without a fuzzer.

use std::panic::catch_unwind;
use std::path::Path;

use tenure_tests::fuzz_targets;

fn replay(name: &str, target: fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(name);
    let mut files: Vec<_> = directory
        .read_dir()
        .expect("a committed directory")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    assert!(files.len() >= 20, "{} files", files.len());
    for file in files {
        let bytes = std::fs::read(&file).expect("a file");
        let survived = catch_unwind(|| target(&bytes)).is_ok();
        assert!(survived, "with {}", file.display());
    }
}

#[test]
fn resp() {
    replay("resp", fuzz_targets::resp);
}

#[test]
fn memory() {
    replay("memory", fuzz_targets::memory);
}

#[test]
fn session() {
    replay("session", fuzz_targets::session);
}

#[test]
fn world() {
    replay("world", fuzz_targets::world);
}

#[test]
fn url() {
    replay("url", fuzz_targets::url);
}
