//! The title, what came of the schedule, and what the signs mean.

use svg::node::element::{Group, Path};

use super::Subject;
use super::shapes::{cross, diamond, group, label, line, px, rect};

/// So many letters fit into a line.
const LINE: usize = 170;

/// What stands above the rows.
pub(super) struct Heading {
    pub(super) group: Group,
    pub(super) bottom: f64,
}

impl Heading {
    pub(super) fn new(subject: &Subject<'_>) -> Self {
        let mut all = group("heading").add(label("title", (12., 24.), subject.title));
        let mut y = 42.;
        let (class, verdict) = match &subject.report.violation {
            Some(violation) => ("broken", violation.to_string()),
            None => ("fine", "every promise was kept".to_owned()),
        };
        for text in lines(&verdict) {
            all = all.add(label(class, (12., y), &text));
            y += 14.;
        }
        all = all.add(label("faint", (12., y), &counts(subject)));
        Self {
            group: all.add(legend(y + 16.)),
            bottom: y + 40.,
        }
    }
}

/// Breaks a text between words.
fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() < LINE => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn counts(subject: &Subject<'_>) -> String {
    let record = subject.record;
    let lost = record
        .messages
        .iter()
        .filter(|message| message.lost)
        .count();
    let held = record
        .claims
        .iter()
        .filter(|claim| claim.since.is_some())
        .count();
    format!(
        "{:.1} virtual seconds, {} messages ({lost} lost), {} locks requested, {held} obtained, {} faults. Point at \
         anything to read more.",
        subject.report.time.as_secs_f64(),
        record.messages.len(),
        record.claims.len(),
        record.faults.len(),
    )
}

fn legend(y: f64) -> Group {
    let mut all = group("legend");
    let mut x = 12.;
    let mut add = |sign: Group, text: &str| {
        let sign = sign.set("transform", format!("translate({},{})", px(x), px(y)));
        let place = (x + 26., y + 3.5);
        all = std::mem::take(&mut all)
            .add(sign)
            .add(label("legend", place, text));
        x += 36. + text.len() as f64 * 5.3;
    };
    let claim = || group("claim c0");
    add(claim().add(line("wait", (0., 0.), (22., 0.))), "wait");
    add(
        claim().add(rect("lease", (0., -4.), 22., 8.)).add(line(
            "refreshed",
            (11., -3.),
            (11., 3.),
        )),
        "holds it, refreshed",
    );
    add(
        claim()
            .add(rect("lease", (0., -4.), 18., 8.))
            .add(cross("ended", (18., 0.), 2.5)),
        "lost it",
    );
    add(
        group("kept c0").add(rect("bar", (0., -2.), 22., 4.)),
        "key on a server",
    );
    add(
        group("kept foreign").add(rect("bar", (0., -2.), 22., 4.)),
        "of somebody else",
    );
    for (class, text) in [
        ("request", "request"),
        ("answer", "answer"),
        ("wake", "wake"),
        ("introduction", "handshake"),
    ] {
        let path = Path::new().set("class", class).set("d", "M0,0L22,0");
        add(Group::new().add(path), text);
    }
    let lost = Path::new()
        .set("class", "request lost")
        .set("d", "M0,0L18,0");
    add(
        Group::new().add(lost).add(cross("lost", (18., 0.), 2.2)),
        "lost message",
    );
    add(Group::new().add(diamond("mark", (11., 0.), 3.)), "fault");
    add(
        Group::new().add(rect("hatched", (0., -5.), 22., 10.)),
        "while it lasts",
    );
    all
}
