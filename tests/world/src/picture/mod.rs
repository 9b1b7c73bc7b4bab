//! A schedule as a picture: rows of time one below the other, as a seismograph draws them.
//!
//! Each row has a lane per client and per node. A client's lane shows its locks, a node's lane the values
//! on its server; both have a line per key. Messages cross from one to the other.

mod bars;
mod faults;
mod frame;
mod heading;
mod layout;
mod messages;
mod part;
mod shapes;

use svg::node::element::Style;
use svg::{Document, Node};

use crate::schedule::Report;
use crate::world::Record;
use heading::Heading;
use layout::Layout;
pub use part::Part;

/// How wide a picture is, in pixels.
pub const WIDTH: u32 = 1200;

/// Draws what became of a schedule, or a part of that, as the text of an SVG file. The same of the same gives the same
/// bytes.
#[must_use]
pub fn draw(title: &str, report: &Report, record: &Record, part: Option<Part>) -> String {
    Subject {
        title,
        report,
        record,
        part,
    }
    .draw()
}

/// What is drawn.
struct Subject<'a> {
    title: &'a str,
    report: &'a Report,
    record: &'a Record,
    part: Option<Part>,
}

impl Subject<'_> {
    fn draw(&self) -> String {
        let heading = Heading::new(self);
        let layout = Layout::new(self, heading.bottom);
        let mut document = Document::new()
            .set("viewBox", (0, 0, WIDTH, layout.height))
            .set("width", WIDTH)
            .set("height", layout.height)
            .add(shapes::tip(self.title))
            .add(Style::new(include_str!("style.css")))
            .add(shapes::definitions())
            .add(shapes::rect(
                "paper",
                (0., 0.),
                f64::from(WIDTH),
                layout.height,
            ))
            .add(heading.group);
        for row in &layout.rows {
            document.append(frame::lanes(self, &layout, row));
            document.append(faults::spans(self, row));
            document.append(messages::arrows(self, row));
            document.append(bars::bars(self, &layout, row));
            document.append(faults::marks(row));
            document.append(frame::violation(self, row));
        }
        document.to_string()
    }
}
