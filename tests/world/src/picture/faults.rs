//! What went wrong: flags with a word, marks at the places concerned, and hatching for as long as it lasted.

use svg::node::element::Group;
use tenure_core::Instant;

use super::Subject;
use super::layout::{LEFT, RIGHT, Row, Who};
use super::shapes::{diamond, group, label, line, rect, tip};
use crate::world::{Fault, Place};

/// How wide a letter of a flag is.
const LETTER: f64 = 4.9;
/// How far apart the lines of flags are.
const LINE: f64 = 11.;

/// The word for what went wrong at one moment and place, and where it stands above the lanes.
pub(super) struct Flag {
    text: String,
    place: Place,
    at: Instant,
    left: f64,
    /// From above.
    pub(super) line: usize,
}

impl Flag {
    /// Those of a row, so that none covers another.
    pub(super) fn all(subject: &Subject<'_>, row: &Row) -> Vec<Self> {
        let mut flags: Vec<Self> = Vec::new();
        for fault in subject
            .record
            .faults
            .iter()
            .filter(|fault| row.has(fault.since))
        {
            let same = |flag: &&mut Self| flag.place == fault.place && flag.at == fault.since;
            if let Some(flag) = flags.iter_mut().find(same) {
                flag.text += &format!(", {}", fault.what);
                continue;
            }
            flags.push(Self {
                text: format!("{} {}", short(fault.place), fault.what),
                place: fault.place,
                at: fault.since,
                left: 0.,
                line: 0,
            });
        }
        // Where each line of flags is full up to.
        let mut full: Vec<f64> = Vec::new();
        for flag in &mut flags {
            let width = flag.text.chars().count() as f64 * LETTER + 6.;
            flag.left = row.x(flag.at).min(RIGHT - width);
            let free = full.iter().position(|right| *right <= flag.left);
            flag.line = free.unwrap_or(full.len());
            full.resize(full.len().max(flag.line + 1), LEFT);
            full[flag.line] = flag.left + width;
        }
        flags
    }
}

fn short(place: Place) -> String {
    match place {
        Place::Client(client) => format!("c{client}"),
        Place::Node(node) => format!("n{node}"),
        Place::Link(client, node) => format!("c{client}–n{node}"),
    }
}

/// Hatching.
pub(super) fn spans(subject: &Subject<'_>, row: &Row) -> Group {
    let mut all = group("spans");
    for fault in subject
        .record
        .faults
        .iter()
        .filter(|fault| fault.end > fault.since)
    {
        let Some((x, end)) = row.part(fault.since, fault.end) else {
            continue;
        };
        let (who, is_link) = match fault.place {
            Place::Client(client) => (Who::Client(client), false),
            Place::Node(node) => (Who::Node(node), false),
            Place::Link(client, _) => (Who::Client(client), true),
        };
        let Some(lane) = row.lane(who) else { continue };
        let shape = if is_link {
            rect("link", (x, lane.bottom() - 2.), end - x, 2.)
        } else {
            rect("hatched", (x, lane.top), end - x, lane.height)
        };
        all = all.add(group("span").add(tip(&tip_text(fault))).add(shape));
    }
    all
}

fn tip_text(fault: &Fault) -> String {
    let until = if fault.end > fault.since {
        format!(" until {:?}", fault.end)
    } else {
        String::new()
    };
    format!("{}: {}, {:?}{until}", fault.place, fault.what, fault.since)
}

/// Flags, and a mark on each lane concerned.
pub(super) fn marks(row: &Row) -> Group {
    let mut all = group("faults");
    for flag in &row.flags {
        let x = row.x(flag.at);
        let y = row.top + (flag.line + 1) as f64 * LINE - 3.;
        let places = match flag.place {
            Place::Client(client) => vec![Who::Client(client)],
            Place::Node(node) => vec![Who::Node(node)],
            Place::Link(client, node) => vec![Who::Client(client), Who::Node(node)],
        };
        let lanes: Vec<_> = places.into_iter().filter_map(|who| row.lane(who)).collect();
        let mut shown = group("fault")
            .add(tip(&format!(
                "{}: {}, {:?}",
                flag.place, flag.text, flag.at
            )))
            .add(label("flag", (flag.left + 2., y), &flag.text));
        if let Some(last) = lanes.last() {
            shown = shown.add(line("pole", (x, y - 6.), (x, last.middle())));
        }
        for lane in lanes {
            shown = shown.add(diamond("mark", (x, lane.middle()), 3.));
        }
        all = all.add(shown);
    }
    all
}
