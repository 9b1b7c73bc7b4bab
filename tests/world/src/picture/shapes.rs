//! The shapes of which a picture consists.

use svg::node::element::{Definitions, Group, Line, Marker, Path, Pattern, Rectangle, Text, Title};

/// Tenths of a pixel are enough, and make short files.
pub(super) fn px(value: f64) -> f64 {
    (value * 10.).round() / 10.
}

/// Characters that XML knows no way to write are replaced; the rest is escaped when it is written.
fn clean(text: &str) -> String {
    let known = |c: char| matches!(c, '\t' | '\n' | ' '..='\u{fffd}' | '\u{10000}'..);
    text.chars()
        .map(|c| if known(c) { c } else { '\u{fffd}' })
        .collect()
}

/// What a reader sees who points there.
pub(super) fn tip(text: &str) -> Title {
    Title::new(clean(text))
}

pub(super) fn label(class: &str, (x, y): (f64, f64), text: &str) -> Text {
    Text::new(clean(text))
        .set("class", class)
        .set("x", px(x))
        .set("y", px(y))
}

pub(super) fn rect(class: &str, (x, y): (f64, f64), width: f64, height: f64) -> Rectangle {
    Rectangle::new()
        .set("class", class)
        .set("x", px(x))
        .set("y", px(y))
        .set("width", px(width.max(0.)))
        .set("height", px(height))
}

pub(super) fn line(class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) -> Line {
    Line::new()
        .set("class", class)
        .set("x1", px(x1))
        .set("y1", px(y1))
        .set("x2", px(x2))
        .set("y2", px(y2))
}

/// A cross for what is lost.
pub(super) fn cross(class: &str, (x, y): (f64, f64), size: f64) -> Path {
    let (l, t, d) = (px(x - size), px(y - size), px(2. * size));
    Path::new()
        .set("class", class)
        .set("d", format!("M{l},{t}l{d},{d}m-{d},0l{d},-{d}"))
}

/// A little flag at the place of a fault.
pub(super) fn diamond(class: &str, (x, y): (f64, f64), size: f64) -> Path {
    let (x, y, d) = (px(x), px(y - size), px(size));
    Path::new()
        .set("class", class)
        .set("d", format!("M{x},{y}l{d},{d}l-{d},{d}l-{d},-{d}z"))
}

/// Heads of arrows, and the hatching of what does not work.
pub(super) fn definitions() -> Definitions {
    let head = |id: &str| {
        Marker::new()
            .set("id", id)
            .set("viewBox", (0, 0, 6, 6))
            .set("refX", 5)
            .set("refY", 3)
            .set("markerWidth", 4)
            .set("markerHeight", 4)
            .set("markerUnits", "userSpaceOnUse")
            .set("orient", "auto")
            .add(Path::new().set("class", id).set("d", "M0,0L6,3L0,6z"))
    };
    let hatch = Pattern::new()
        .set("id", "hatch")
        .set("width", 5)
        .set("height", 5)
        .set("patternUnits", "userSpaceOnUse")
        .set("patternTransform", "rotate(45)")
        .add(line("hatch", (0., 0.), (0., 5.)));
    let heads = [
        "head-request",
        "head-answer",
        "head-wake",
        "head-introduction",
    ];
    let all = Definitions::new().add(hatch);
    heads.into_iter().fold(all, |all, id| all.add(head(id)))
}

/// A group of its own, for who looks into the file.
pub(super) fn group(class: &str) -> Group {
    Group::new().set("class", class)
}
