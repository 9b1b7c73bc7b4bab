//! Where everything goes: instants to rows and columns, clients, nodes and keys to lanes and lines.

use tenure_core::Instant;

use super::Subject;
use super::faults::Flag;

/// Where time begins in a row, and where it ends.
pub(super) const LEFT: f64 = 74.;
pub(super) const RIGHT: f64 = 1180.;

/// How long a row may be, in microseconds.
const SPANS: [u64; 12] = [
    5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000, 5_000_000,
    10_000_000, LONGEST,
];
const LONGEST: u64 = 20_000_000;
/// So many rows are enough for most schedules.
const ROWS: usize = 8;

/// So many marks has the scale of a row.
pub(super) const TICKS: u64 = 10;

/// Heights.
const FLAG: f64 = 11.;
const PAD: f64 = 3.;
const IDLE: f64 = 15.;
const CLIENT_LINE: f64 = 9.;
const NODE_LINE: f64 = 6.;
const GAP: f64 = 20.;
const AXIS: f64 = 14.;
const BETWEEN: f64 = 16.;

/// All rows.
pub(super) struct Layout {
    pub(super) rows: Vec<Row>,
    /// How long each is.
    pub(super) span: u64,
    pub(super) height: f64,
    /// How many lines a lane has.
    keys: usize,
}

/// A piece of time from left to right.
pub(super) struct Row {
    pub(super) from: u64,
    pub(super) to: u64,
    /// How much is left out before it, because nothing happens.
    pub(super) skipped: u64,
    pub(super) flags: Vec<Flag>,
    pub(super) top: f64,
    /// Below the flags.
    pub(super) lanes: Vec<Lane>,
    /// Below the lanes.
    pub(super) axis: f64,
}

/// Where one client or node is in a row.
pub(super) struct Lane {
    pub(super) who: Who,
    pub(super) top: f64,
    pub(super) height: f64,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Who {
    Client(usize),
    Node(usize),
}

impl Layout {
    pub(super) fn new(subject: &Subject<'_>, top: f64) -> Self {
        let busy = instants(subject);
        let fits = |span: &&u64| pieces(&busy, **span).len() <= ROWS;
        let span = SPANS.iter().find(fits).copied().unwrap_or(LONGEST);
        let mut layout = Self {
            rows: Vec::new(),
            span,
            height: 0.,
            keys: subject.record.keys.len().max(1),
        };
        let (mut top, mut end) = (top, None);
        for from in pieces(&busy, span) {
            let mut row = layout.row(subject, (from, from + span), top);
            row.skipped = end.map_or(0, |end| from - end);
            top = row.axis + AXIS + BETWEEN;
            end = Some(row.to);
            layout.rows.push(row);
        }
        layout.height = top.ceil();
        layout
    }

    fn row(&self, subject: &Subject<'_>, (from, to): (u64, u64), top: f64) -> Row {
        let mut row = Row {
            from,
            to,
            skipped: 0,
            flags: Vec::new(),
            top,
            lanes: Vec::new(),
            axis: top,
        };
        row.flags = Flag::all(subject, &row);
        let lines = row
            .flags
            .iter()
            .map(|flag| flag.line + 1)
            .max()
            .unwrap_or(0);
        let mut y = top + lines as f64 * FLAG + PAD;
        let keys = self.keys as f64;
        let clients = subject.record.clients.iter().enumerate();
        for (client, came) in clients {
            // A client has no lane before it joins.
            if came.as_micros() < to {
                let height = if is_idle(subject, &row, client) {
                    IDLE
                } else {
                    (keys * CLIENT_LINE + 2. * PAD).max(IDLE)
                };
                row.lanes.push(Lane {
                    who: Who::Client(client),
                    top: y,
                    height,
                });
                y += height + 1.;
            }
        }
        y += GAP;
        for node in 0..subject.record.nodes {
            let height = (keys * NODE_LINE + 2. * PAD).max(13.);
            row.lanes.push(Lane {
                who: Who::Node(node),
                top: y,
                height,
            });
            y += height + 1.;
        }
        row.axis = y + 2.;
        row
    }

    /// Where a line begins and how high it is, by the place of its key.
    pub(super) fn line(&self, lane: &Lane, key: usize) -> (f64, f64) {
        let each = (lane.height - 2. * PAD) / self.keys as f64;
        (lane.top + PAD + key as f64 * each, each)
    }
}

impl Row {
    /// The column of an instant, which may be far outside of the row.
    pub(super) fn x(&self, at: Instant) -> f64 {
        let part = at.as_micros() as f64 - self.from as f64;
        LEFT + part / (self.to - self.from) as f64 * (RIGHT - LEFT)
    }

    pub(super) fn has(&self, at: Instant) -> bool {
        (self.from..self.to).contains(&at.as_micros())
    }

    /// The columns of the part of a time that is in this row.
    pub(super) fn part(&self, since: Instant, end: Instant) -> Option<(f64, f64)> {
        let outside = since.as_micros() >= self.to || end.as_micros() < self.from;
        (!outside).then(|| (self.x(since).max(LEFT), self.x(end).min(RIGHT)))
    }

    pub(super) fn lane(&self, who: Who) -> Option<&Lane> {
        self.lanes.iter().find(|lane| lane.who == who)
    }
}

impl Lane {
    pub(super) fn bottom(&self) -> f64 {
        self.top + self.height
    }

    pub(super) fn middle(&self) -> f64 {
        self.top + self.height / 2.
    }
}

/// Where rows of this length begin, if each begins shortly before something happens.
fn pieces(busy: &[u64], span: u64) -> Vec<u64> {
    let mut begins: Vec<u64> = Vec::new();
    for at in busy {
        let end = begins.last().map_or(0, |begin| begin + span);
        if *at >= end {
            let round = at - at % (span / TICKS);
            begins.push(round.max(end));
        }
    }
    begins
}

/// Whenever something happens in what is drawn, in order, until a promise is broken.
fn instants(subject: &Subject<'_>) -> Vec<u64> {
    let record = subject.record;
    let last = subject
        .report
        .violation
        .as_ref()
        .map_or(record.end, |violation| violation.at);
    let messages = record
        .messages
        .iter()
        .flat_map(|message| [Some(message.sent), message.done]);
    let claims = record
        .claims
        .iter()
        .flat_map(|claim| [Some(claim.requested_at), claim.since, claim.end]);
    let faults = record
        .faults
        .iter()
        .flat_map(|fault| [Some(fault.since), Some(fault.end)]);
    let all = messages.chain(claims).chain(faults).flatten();
    let mut all: Vec<Instant> = all.filter(|at| *at <= last && *at < record.end).collect();
    all.extend(
        subject
            .report
            .violation
            .iter()
            .map(|violation| violation.at),
    );
    if let Some(part) = subject.part {
        all.retain(|at| part.has(*at));
        all.push(part.from);
    }
    let mut all: Vec<u64> = all.into_iter().map(Instant::as_micros).collect();
    all.sort_unstable();
    all
}

/// A client that neither has nor wants anything in a row needs no line per key.
fn is_idle(subject: &Subject<'_>, row: &Row, client: usize) -> bool {
    let record = subject.record;
    let claims = record.claims.iter();
    let mut mine = claims.filter(|claim| claim.client == client);
    !mine.any(|claim| {
        row.part(claim.requested_at, claim.end.unwrap_or(record.end))
            .is_some()
    })
}
