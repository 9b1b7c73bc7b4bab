//! The parts of every row: lanes with their names, the scale, and the moment at which a promise was broken.

use std::time::Duration;

use svg::node::element::Group;

use super::Subject;
use super::layout::{LEFT, Layout, RIGHT, Row, TICKS, Who};
use super::shapes::{group, label, line, rect, tip};

pub(super) fn lanes(subject: &Subject<'_>, layout: &Layout, row: &Row) -> Group {
    let mut all = group("row");
    let end = row.x(subject.record.end).clamp(LEFT, RIGHT);
    if row.skipped > 0 {
        let left_out = format!("… nothing for {:?}", Duration::from_micros(row.skipped));
        all = all.add(label("faint", (LEFT, row.top - 4.), &left_out));
    }
    for tick in 0..=TICKS {
        let at = row.from + layout.span / TICKS * tick;
        let x = LEFT + (RIGHT - LEFT) * tick as f64 / TICKS as f64;
        let first = row.lanes.first().map_or(row.top, |lane| lane.top);
        all = all
            .add(line("tick", (x, first), (x, row.axis + 3.)))
            .add(label(
                "scale",
                (x, row.axis + 11.),
                &seconds(at, layout.span / TICKS),
            ));
    }
    for lane in &row.lanes {
        let (class, name) = match lane.who {
            Who::Client(client) => (
                format!("lane client c{}", client % 9),
                format!("client {client}"),
            ),
            Who::Node(node) => ("lane node".to_owned(), format!("node {node}")),
        };
        let mut shown = group(&class)
            .add(rect("back", (LEFT, lane.top), end - LEFT, lane.height))
            .add(label("name", (LEFT - 20., lane.middle() + 3.5), &name));
        for (index, key) in subject.record.keys.iter().enumerate() {
            let (y, height) = layout.line(lane, index);
            if subject.record.keys.len() > 1 && height > 5. {
                shown = shown.add(label("key", (LEFT - 3., y + height / 2. + 2.2), key));
            }
        }
        all = all.add(shown);
    }
    all
}

/// In seconds, with enough digits to distinguish two marks.
fn seconds(micros: u64, step: u64) -> String {
    let digits = match step {
        1_000_000.. => 0,
        100_000.. => 1,
        10_000.. => 2,
        1_000.. => 3,
        _ => 4,
    };
    format!("{:.digits$} s", micros as f64 / 1e6)
}

/// The moment at which a promise was broken, if it is in this row.
pub(super) fn violation(subject: &Subject<'_>, row: &Row) -> Group {
    let all = group("violations");
    let Some(violation) = &subject.report.violation else {
        return all;
    };
    let last = violation.at.as_micros() == row.to && violation.at == subject.record.end;
    if !row.has(violation.at) && !last {
        return all;
    }
    let x = row.x(violation.at);
    let name = format!("{:?}", violation.promise);
    let (width, top) = (name.len() as f64 * 7. + 8., row.axis + 13.);
    let left = (x - width / 2.).clamp(LEFT, RIGHT - width);
    let shown = group("violation")
        .add(tip(&violation.to_string()))
        .add(line("moment", (x, row.top), (x, top)))
        .add(rect("banner", (left, top - 1.), width, 14.))
        .add(label("banner", (left + 4., top + 9.5), &name));
    all.add(shown)
}
