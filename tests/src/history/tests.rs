//! Histories written by hand: which of them a lock can have.

use std::num::NonZeroU32;

use super::*;

/// Held from `begin`, released at `end`, with a lease that lasts long; each call takes 2.
fn held(begin: u64, end: u64) -> Attempt {
    Attempt {
        asked_at: begin,
        answer: Some((begin + 2, Answer::Held)),
        lease_end: 1_000,
        released_at: Some(end),
        released: Some((end + 2, true)),
        ..Attempt::default()
    }
}

fn denied(begin: u64, end: u64) -> Attempt {
    Attempt {
        asked_at: begin,
        answer: Some((end, Answer::Denied(Holder::Other))),
        ..Attempt::default()
    }
}

#[test]
fn one_holder_after_the_other_is_a_lock() {
    assert!(is_linearizable(&[held(0, 10), held(13, 20)], true));
    // The second makes its request before the first has released, and gets the answer after.
    let mut waits = held(5, 20);
    waits.answer = Some((15, Answer::Held));
    assert!(is_linearizable(&[held(0, 10), waits], true));
    assert!(is_linearizable(&[held(0, 10), denied(4, 6)], true));
}

#[test]
fn two_holders_at_once_are_not() {
    assert!(!is_linearizable(&[held(0, 10), held(5, 20)], true));
    let third = [held(0, 10), held(13, 30), held(20, 40)];
    assert!(!is_linearizable(&third, true));
}

#[test]
fn a_denial_needs_a_holder_except_with_a_quorum() {
    let history = [held(0, 10), denied(14, 16)];
    assert!(!is_linearizable(&history, true));
    assert!(is_linearizable(&history, false));
}

#[test]
fn a_lock_comes_free_at_the_end_of_its_lease_and_not_before() {
    let mut crashed = held(0, 0);
    (crashed.released_at, crashed.released, crashed.lease_end) = (None, None, 50);
    assert!(is_linearizable(&[crashed.clone(), held(49, 70)], true));
    assert!(!is_linearizable(&[crashed.clone(), held(47, 70)], true));
    // Refreshed when somebody else has it.
    crashed.refreshed = vec![(60, 62)];
    assert!(!is_linearizable(&[crashed, held(52, 70)], true));
}

#[test]
fn an_unknown_answer_may_mean_both() {
    let unknown = Attempt {
        answer: Some((4, Answer::Unknown)),
        ..Attempt::default()
    };
    assert!(is_linearizable(&[unknown.clone(), denied(6, 8)], true));
    assert!(is_linearizable(&[unknown, held(6, 8)], true));
    assert!(!is_linearizable(&[denied(6, 8)], true), "nobody was there");
}

#[test]
fn a_release_that_finds_the_lock_gone_needs_an_end_of_the_lease() {
    let mut late = held(0, 60);
    late.released = Some((62, false));
    assert!(!is_linearizable(&[late.clone()], true));
    late.lease_end = 50;
    assert!(is_linearizable(&[late], true));
}

const READ: Mode = Mode::Shared { limit: None };

fn permit(limit: u32) -> Mode {
    let limit = NonZeroU32::new(limit);
    Mode::Shared { limit }
}

/// The same in this mode.
fn with(mode: Mode, attempt: Attempt) -> Attempt {
    Attempt { mode, ..attempt }
}

fn denied_by(by: Holder, begin: u64, end: u64) -> Attempt {
    Attempt {
        answer: Some((end, Answer::Denied(by))),
        ..denied(begin, end)
    }
}

/// One that asks to be changed at 20, and is answered at 22.
fn changed(mode: Mode, up: bool, done: Option<bool>) -> Attempt {
    let change = Change {
        up,
        asked_at: 20,
        answer: done.map(|done| (22, done)),
    };
    Attempt {
        changes: vec![change],
        ..with(mode, held(0, 60))
    }
}

#[test]
fn readers_share_it_and_others_have_it_alone() {
    let readers = [with(READ, held(0, 20)), with(READ, held(5, 30))];
    assert!(is_linearizable(&readers, true));
    for mode in [Mode::Exclusive, Mode::InTurn] {
        let alone = with(mode, held(10, 15));
        assert!(!is_linearizable(&[readers[0].clone(), alone.clone()], true));
        let later = with(mode, held(33, 40));
        assert!(is_linearizable(
            &[readers[0].clone(), readers[1].clone(), later],
            true
        ));
        let reader = with(READ, held(11, 14));
        assert!(!is_linearizable(&[alone, reader], true));
    }
}

#[test]
fn no_more_permits_than_there_are() {
    let two = [with(permit(2), held(0, 20)), with(permit(2), held(5, 30))];
    assert!(is_linearizable(&two, true));
    let third = with(permit(2), held(10, 15));
    let [one, other] = two.clone();
    assert!(!is_linearizable(&[one, other, third], true));
    let [one, other] = two.clone();
    let third = with(permit(3), held(10, 15));
    assert!(is_linearizable(&[one, other, third], true));
    let [one, other] = two;
    assert!(is_linearizable(
        &[one, other, with(permit(2), held(22, 35))],
        true
    ));
}

#[test]
fn a_denial_needs_one_who_is_in_the_way_like_that() {
    let reader = with(READ, held(0, 20));
    let writer = with(Mode::InTurn, held(0, 20));
    for (first, mode, by, is_true) in [
        (&reader, Mode::InTurn, Holder::Sharing, true),
        (&reader, Mode::InTurn, Holder::Other, false),
        (&reader, Mode::Exclusive, Holder::Other, true),
        (&reader, READ, Holder::Sharing, false),
        (&reader, permit(1), Holder::Sharing, true),
        (&reader, permit(2), Holder::Sharing, false),
        (&reader, READ, Holder::Other, false),
        (&reader, READ, Holder::Queue, true),
        (&writer, READ, Holder::Other, true),
        (&writer, Mode::InTurn, Holder::Sharing, false),
    ] {
        let denied = with(mode, denied_by(by, 10, 12));
        assert_eq!(
            is_linearizable(&[first.clone(), denied], true),
            is_true,
            "{mode:?} {by:?}"
        );
    }
}

#[test]
fn the_only_reader_may_become_a_writer_and_a_writer_a_reader() {
    let up = changed(READ, true, Some(true));
    let other = with(READ, held(30, 40));
    assert!(is_linearizable(std::slice::from_ref(&up), true));
    assert!(!is_linearizable(&[up.clone(), other.clone()], true));
    // Another one was inside when it was changed.
    let before = with(READ, held(5, 30));
    assert!(!is_linearizable(&[up.clone(), before.clone()], true));
    let refused = changed(READ, true, Some(false));
    assert!(is_linearizable(&[refused.clone(), before], true));
    assert!(!is_linearizable(&[refused], true), "nobody else was there");

    let down = changed(Mode::InTurn, false, Some(true));
    assert!(is_linearizable(&[down.clone(), other], true));
    let writer = with(Mode::InTurn, held(30, 40));
    assert!(!is_linearizable(&[down.clone(), writer], true));
    let early = with(READ, held(10, 40));
    assert!(!is_linearizable(&[down, early], true), "still a writer");
}

#[test]
fn a_change_without_an_answer_may_mean_both() {
    for mode in [READ, Mode::InTurn] {
        let unknown = changed(mode, mode == READ, None);
        let reader = with(READ, held(30, 40));
        assert!(is_linearizable(&[unknown.clone(), reader], true));
        let denied = with(READ, denied_by(Holder::Other, 30, 40));
        assert!(is_linearizable(&[unknown, denied], true));
    }
}
