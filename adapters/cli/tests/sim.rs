//! `tenure sim`, from outside.
#![cfg(feature = "sim")]
mod common;

use common::{finish, tenure};

#[test]
fn a_run_ends_with_its_verdict_and_is_the_same_again() {
    let done = finish(&mut tenure(&["sim", "--seed", "7"]));
    assert_eq!(done.code(), 0, "{}", done.stderr);
    assert!(
        done.stdout.starts_with("Seed 7: quorum of "),
        "{}",
        done.stdout
    );
    assert!(done.stdout.contains(" hears Obtained "), "{}", done.stdout);
    assert!(
        done.stdout
            .ends_with("\n\nSeed 7: every promise was kept\n"),
        "{}",
        done.stdout
    );
    let again = finish(&mut tenure(&["sim", "--seed", "7"]));
    assert_eq!(done.stdout, again.stdout);
}

#[test]
fn a_picture_goes_to_a_file_or_to_standard_output() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("out.svg");
    let path = file.to_str().expect("a path");
    let done = finish(&mut tenure(&["sim", "--seed", "7", "--svg", path]));
    assert_eq!(
        (done.code(), &*done.stdout),
        (0, "Seed 7: every promise was kept\n")
    );
    let picture = std::fs::read_to_string(&file).expect("a picture");
    assert!(picture.starts_with("<svg ") && picture.trim_end().ends_with("</svg>"));

    let done = finish(&mut tenure(&["sim", "--seed", "7", "--svg", "-"]));
    assert_eq!(done.code(), 0);
    assert!(
        done.stderr.contains("every promise was kept"),
        "{}",
        done.stderr
    );
    assert_eq!(done.stdout.trim_end(), picture.trim_end());
}

#[test]
fn any_bytes_are_a_schedule() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("bytes");
    std::fs::write(&file, b"anything at all").expect("a file");
    let path = file.to_str().expect("a path");
    let done = finish(&mut tenure(&["sim", "--file", path, "--shrink"]));
    assert_eq!(done.code(), 0, "{}", done.stderr);
    assert!(
        done.stdout.ends_with(": every promise was kept\n"),
        "{}",
        done.stdout
    );
}

#[test]
fn bad_usage_is_reported() {
    for arguments in [
        &["sim", "--seed", "x"][..],
        &["sim", "--seed", "1", "--file", "x"],
        &["sim", "--file", "/nowhere"],
        &["sim", "7"],
        &["sim", "--part", "1..2"],
        &["sim", "--svg", "out.svg", "--part", "2..1"],
    ] {
        let done = finish(&mut tenure(arguments));
        assert_eq!(done.code(), 64, "{arguments:?}");
        assert!(!done.stderr.is_empty() && done.stdout.is_empty());
    }
    let done = finish(&mut tenure(&["sim", "--svg", "/nowhere/out.svg"]));
    assert_eq!(done.code(), 71, "{}", done.stderr);
}
