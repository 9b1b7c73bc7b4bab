//! Messages as arrows. Those that nobody could tell apart are one arrow.

use std::collections::BTreeMap;

use svg::node::element::{Group, Path};

use super::Subject;
use super::layout::{Row, Who};
use super::shapes::{cross, group, px, tip};
use crate::world::{Kind, Message};

/// So many arrows in a row are drawn boldly.
const FEW: usize = 60;

/// Nearer than half a pixel is the same place.
type Place = (usize, usize, &'static str, bool, i64, i64);

pub(super) fn arrows(subject: &Subject<'_>, row: &Row) -> Group {
    let mut alike: BTreeMap<Place, Vec<&Message>> = BTreeMap::new();
    let end = subject.record.end;
    for message in &subject.record.messages {
        let done = message.done.unwrap_or(end);
        if row.part(message.sent, done).is_none() {
            continue;
        }
        let column = |x: f64| (x * 2.).round() as i64;
        let place = (
            message.client,
            message.node,
            class(message.kind),
            message.lost,
            column(row.x(message.sent)),
            column(row.x(done)),
        );
        alike.entry(place).or_default().push(message);
    }
    let few = alike.len() < FEW;
    let mut all = group(if few { "messages few" } else { "messages" });
    for messages in alike.values() {
        let Some((arrow, cross)) = arrow(subject, row, messages) else {
            continue;
        };
        all = all.add(arrow);
        if let Some(cross) = cross {
            all = all.add(cross);
        }
    }
    all
}

fn arrow(subject: &Subject<'_>, row: &Row, messages: &[&Message]) -> Option<(Path, Option<Path>)> {
    let first = messages.first()?;
    let client = row.lane(Who::Client(first.client))?.bottom() - 2.;
    let node = row.lane(Who::Node(first.node))?.top + 2.;
    let (from, to) = if first.up {
        (client, node)
    } else {
        (node, client)
    };
    let end = subject.record.end;
    let (x0, x1) = (row.x(first.sent), row.x(first.done.unwrap_or(end)));
    // What is lost is so half-way.
    let arrives = first.done.is_some() && !first.lost;
    let y1 = if arrives { to } else { (from + to) / 2. };
    // Only the part in this row.
    let (low, high) = row.part(first.sent, first.done.unwrap_or(end))?;
    let y = |x: f64| {
        if x1 > x0 {
            from + (y1 - from) * (x - x0) / (x1 - x0)
        } else {
            from
        }
    };
    let (start, mut stop) = ((low, y(low)), (high, y(high)));
    if x1 <= x0 {
        stop.1 = y1;
    }
    let is_whole = high >= x1 - 0.05;
    let class = class(first.kind);
    // The head is at the arrival only.
    let state = match (arrives, is_whole) {
        (false, _) => " lost",
        (true, false) => " on",
        (true, true) => "",
    };
    let ends = [start.0, start.1, stop.0, stop.1].map(px);
    let path = Path::new().set("class", format!("{class}{state}")).set(
        "d",
        format!("M{},{}L{},{}", ends[0], ends[1], ends[2], ends[3]),
    );
    let cross = (first.lost && is_whole).then(|| cross("lost", stop, 2.2));
    Some((path.add(tip(&tip_text(messages))), cross))
}

fn tip_text(messages: &[&Message]) -> String {
    const SHOWN: usize = 2;
    let mut lines: Vec<String> = messages
        .iter()
        .take(SHOWN)
        .map(|message| line(message))
        .collect();
    if messages.len() > SHOWN {
        lines.push(format!("and {} more", messages.len() - SHOWN));
    }
    lines.join("\n")
}

fn line(message: &Message) -> String {
    let way = if message.up { "→" } else { "←" };
    let done = match message.done {
        None => "under way".to_owned(),
        Some(at) if message.lost => format!("lost at {at:?}"),
        Some(at) => format!("there at {at:?}"),
    };
    let text: String = message
        .text
        .replace("\\r\\n", " ")
        .chars()
        .take(80)
        .collect();
    format!(
        "{:?} client {} {way} node {}, {done}: {text}",
        message.sent, message.client, message.node
    )
}

const fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Introduction => "introduction",
        Kind::Request => "request",
        Kind::Answer => "answer",
        Kind::Wake => "wake",
    }
}
