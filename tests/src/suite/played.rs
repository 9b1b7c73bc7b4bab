//! What was played on what, for the tables in `tests/conformance.md`, which `tests/conformance` writes and compares.

use std::fs::{OpenOptions, create_dir_all};
use std::io::Write as _;
use std::path::Path;

/// Notes that a scenario ended as it must.
///
/// # Panics
/// If the file cannot be written.
pub fn played(table: &str, scenario: &str, target: &str) {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let line = format!("{table}\t{scenario}\t{target}\n");
    // Test programs write at the same time: one write each, behind all others.
    let written = create_dir_all(&place)
        .and_then(|()| {
            let mut options = OpenOptions::new();
            options
                .create(true)
                .append(true)
                .open(place.join("played.txt"))
        })
        .and_then(|mut file| file.write_all(line.as_bytes()));
    written.expect("a file below target");
}
