//! Locks of clients and values on servers, as bars.

use svg::node::element::Group;

use super::Subject;
use super::layout::{LEFT, Layout, RIGHT, Row, Who};
use super::shapes::{cross, group, line, rect, tip};
use crate::world::{Claim, Promise, Stored};

pub(super) fn bars(subject: &Subject<'_>, layout: &Layout, row: &Row) -> Group {
    let mut all = group("bars");
    for stored in &subject.record.stored {
        if let Some(bar) = kept(subject, layout, row, stored) {
            all = all.add(bar);
        }
    }
    for (index, claim) in subject.record.claims.iter().enumerate() {
        if let Some(bar) = lock_bar(subject, layout, row, claim) {
            all = all.add(bar.set("data-claim", index));
        }
    }
    all
}

/// A thin bar, in the colour of the client whose value it is.
fn kept(subject: &Subject<'_>, layout: &Layout, row: &Row, stored: &Stored) -> Option<Group> {
    let (x, end) = row.part(stored.since, stored.end)?;
    let key = subject.record.keys.binary_search(&stored.key).ok()?;
    let (y, height) = layout.line(row.lane(Who::Node(stored.node))?, key);
    let (class, whose) = match stored.client {
        Some(client) => (format!("kept c{}", client % 9), format!("client {client}")),
        None => ("kept foreign".to_owned(), "nobody here".to_owned()),
    };
    let text = format!(
        "{} of {whose} on node {} from {:?} to {:?}",
        stored.key, stored.node, stored.since, stored.end
    );
    let bar = rect("bar", (x, y + 1.), (end - x).max(0.8), height - 2.);
    Some(group(&class).add(tip(&text)).add(bar))
}

/// A thin line while the client waits, a bar while it holds the lock.
fn lock_bar(subject: &Subject<'_>, layout: &Layout, row: &Row, claim: &Claim) -> Option<Group> {
    let end = claim.end.unwrap_or(subject.record.end);
    row.part(claim.requested_at, end)?;
    let lane = row.lane(Who::Client(claim.client))?;
    let disputed = if is_disputed(subject, claim) {
        " disputed"
    } else {
        ""
    };
    let class = format!("claim c{}{disputed}", claim.client % 9);
    let mut all = group(&class).add(tip(&tip_text(claim)));
    for key in &claim.keys {
        let (y, height) = layout.line(lane, subject.record.keys.binary_search(key).ok()?);
        let middle = y + height / 2.;
        if let Some((x, until)) = row.part(claim.requested_at, claim.since.unwrap_or(end)) {
            all = all.add(line("wait", (x, middle), (until.max(x + 0.8), middle)));
        }
        if claim.since.is_none() && row.has(end) {
            let x = row.x(end);
            all = all.add(line("refused", (x, y + 2.), (x, y + height - 2.)));
        }
        let Some(since) = claim.since else { continue };
        let Some((x, until)) = row.part(since, end) else {
            continue;
        };
        all = all.add(rect(
            "lease",
            (x, y + 0.5),
            (until - x).max(1.2),
            height - 1.,
        ));
        for at in claim.refreshed.iter().filter(|at| row.has(**at)) {
            let x = row.x(*at);
            all = all.add(line("refreshed", (x, y + 1.5), (x, y + height - 1.5)));
        }
        if !claim.how.is_empty() && row.has(end) && end < subject.record.end {
            let x = until.clamp(LEFT + 2., RIGHT - 2.);
            all = all.add(cross("ended", (x, middle), 2.5));
        }
    }
    Some(all)
}

fn tip_text(claim: &Claim) -> String {
    let keys = claim.keys.join(" and ");
    let mut text = format!(
        "client {} requests {keys} at {:?}",
        claim.client, claim.requested_at
    );
    if let Some(since) = claim.since {
        text += &format!(
            "\nhas it from {since:?}, refreshed {} times",
            claim.refreshed.len()
        );
    }
    if let Some(end) = claim.end {
        let how = if claim.how.is_empty() {
            "released"
        } else {
            &claim.how
        };
        text += &format!("\nuntil {end:?}: {how}");
    }
    text
}

/// Another client held the same key when exclusion was broken.
fn is_disputed(subject: &Subject<'_>, claim: &Claim) -> bool {
    let Some(violation) = &subject.report.violation else {
        return false;
    };
    let holds = |claim: &Claim| {
        claim.since.is_some_and(|since| since <= violation.at)
            && claim.end.is_none_or(|end| end >= violation.at)
    };
    let rival = |other: &Claim| {
        (other.client, other.lock) != (claim.client, claim.lock)
            && holds(other)
            && other.keys.iter().any(|key| claim.keys.contains(key))
    };
    violation.promise == Promise::Exclusion
        && holds(claim)
        && subject.record.claims.iter().any(rival)
}
