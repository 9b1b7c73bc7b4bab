//! Pictures of schedules, read as XML.
#![cfg(feature = "picture")]

use std::collections::BTreeSet;

use roxmltree::{Document, Node};
use tenure_world::picture::draw;
use tenure_world::schedule::{Report, Schedule};
use tenure_world::world::{Promise, Record, Violation};

fn picture(seed: u64) -> (String, Report, Record) {
    let schedule = Schedule::from_seed(seed);
    let (report, record) = schedule.record();
    let title = format!("Seed {seed}: {}", schedule.describe());
    (draw(&title, &report, &record, None), report, record)
}

/// All elements of a class, whatever other classes they have.
fn of_class<'a>(document: &'a Document<'_>, class: &'a str) -> impl Iterator<Item = Node<'a, 'a>> {
    document.descendants().filter(move |node| {
        let classes = node.attribute("class").unwrap_or_default();
        classes.split(' ').any(|other| other == class)
    })
}

#[test]
fn every_client_and_node_has_a_lane_and_every_lease_a_bar() {
    for seed in 0..30 {
        let (text, _, record) = picture(seed);
        let document = Document::parse(&text).expect("XML");
        // A client has no lane in rows before it joined.
        let last = of_class(&document, "row").last().expect("a row");
        let lanes = |class: &str| {
            let children = last.children();
            let class = format!("lane {class}");
            let of = |node: &Node<'_, '_>| {
                node.attribute("class")
                    .unwrap_or_default()
                    .starts_with(&class)
            };
            children.filter(of).count()
        };
        assert_eq!(lanes("client"), record.clients.len(), "seed {seed}");
        assert_eq!(lanes("node"), record.nodes, "seed {seed}");

        let bars =
            of_class(&document, "lease").filter_map(|bar| bar.parent()?.attribute("data-claim"));
        let drawn: BTreeSet<usize> = bars.map(|index| index.parse().expect("a number")).collect();
        let holders = record
            .claims
            .iter()
            .enumerate()
            .filter(|(_, claim)| claim.since.is_some());
        let holders: BTreeSet<usize> = holders.map(|(index, _)| index).collect();
        assert_eq!(drawn, holders, "seed {seed}");
        assert_eq!(of_class(&document, "violation").count(), 0, "seed {seed}");
    }
}

/// How many messages a line of a tip stands for.
fn messages_of(line: &str) -> usize {
    let more = line.strip_prefix("and ");
    let more = more.and_then(|more| more.strip_suffix(" more"));
    more.map_or(1, |count| count.parse().expect("a number"))
}

#[test]
fn every_arrow_is_drawn_and_the_lost_ones_have_a_cross() {
    let mut lost = 0;
    for seed in 0..20 {
        let (text, _, record) = picture(seed);
        let document = Document::parse(&text).expect("XML");
        let arrows = of_class(&document, "messages").flat_map(|group| group.children());
        let shown = arrows.filter_map(|arrow| {
            let tip = arrow.children().find(|node| node.has_tag_name("title"))?;
            Some(tip.text()?.trim().lines().map(messages_of).sum::<usize>())
        });
        // One that goes on in the next row is shown twice.
        let shown: usize = shown.sum();
        assert!(shown >= record.messages.len(), "seed {seed}: {shown}");
        let mut messages = record.messages.iter();
        assert!(messages.all(|message| message.done.is_none_or(|at| at >= message.sent)));
        let crosses =
            of_class(&document, "lost").filter(|path| path.attribute("class") == Some("lost"));
        // One of them is in the legend.
        let crosses = crosses.count() - 1;
        let gone = record
            .messages
            .iter()
            .filter(|message| message.lost)
            .count();
        assert_eq!(crosses > 0, gone > 0, "seed {seed}");
        assert!(crosses <= gone, "seed {seed}");
        lost += gone;
    }
    assert!(lost > 50, "{lost}");
}

#[test]
fn a_part_is_drawn_at_a_scale_of_its_own() {
    let (report, record) = Schedule::from_seed(7).record();
    let part = "3.3..3.5".parse().expect("a part");
    let text = draw("a part", &report, &record, Some(part));
    let document = Document::parse(&text).expect("XML");
    let marks = of_class(&document, "scale").filter_map(|mark| mark.text());
    let marks: Vec<f64> = marks
        .filter_map(|mark| mark.trim().trim_end_matches(" s").parse().ok())
        .collect();
    assert!(
        marks.len() > 5 && marks.iter().all(|at| (3.29..=3.6).contains(at)),
        "{marks:?}"
    );
    assert!(of_class(&document, "request").count() > 5);
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_others() {
    let (first, report, _) = picture(7);
    let (again, same, _) = picture(7);
    assert_eq!((&first, report.trace), (&again, same.trace));
    let (other, different, _) = picture(8);
    assert!(first != other && report.trace != different.trace);
}

#[test]
fn recording_changes_nothing() {
    for seed in 0..20 {
        let schedule = Schedule::from_seed(seed);
        let (recorded, _) = schedule.record();
        assert_eq!(schedule.play().trace, recorded.trace, "seed {seed}");
    }
}

/// The first moment at which any lock was held, reported as wrong.
#[test]
fn a_violation_is_marked_once_with_its_promise_and_any_text_is_escaped() {
    let (_, mut report, record) = picture(7);
    let claim = record.claims.iter().find(|claim| claim.since.is_some());
    let at = claim.and_then(|claim| claim.since).expect("a lease");
    for at in [at, record.end] {
        report.violation = Some(Violation {
            promise: Promise::Cover,
            how: "<k> & \"k\" \u{0}\u{1b}[31m".into(),
            at,
        });
        let text = draw("<&'\">\u{1}", &report, &record, None);
        let document = Document::parse(&text).expect("XML");
        let marks: Vec<_> = of_class(&document, "violation").collect();
        assert_eq!(marks.len(), 1, "{at:?}");
        let banner = of_class(&document, "banner").find(|node| node.has_tag_name("text"));
        let banner = banner.and_then(|banner| banner.text()).map(str::trim);
        assert_eq!(banner, Some("Cover"), "{at:?}");
        let title = of_class(&document, "title")
            .next()
            .and_then(|title| title.text());
        assert_eq!(title.map(str::trim), Some("<&'\">\u{fffd}"));
        let shown = of_class(&document, "broken")
            .next()
            .and_then(|shown| shown.text());
        assert!(
            shown
                .expect("the verdict")
                .contains("<k> & \"k\" \u{fffd}\u{fffd}[31m")
        );
    }
}
