//! What happens next, in the order of true time.

use tenure_core::Instant;

/// Something that happens at an instant. Each looks for itself whether there is still anything to do.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Happening {
    /// The deadline of a client.
    Client(usize),
    /// The deadline of a server.
    Server(usize),
    /// A connection is open, or refused.
    Opened(usize),
    /// Bytes reach the server.
    Up(usize),
    /// Bytes reach the client.
    Down(usize),
    /// A client does what has become of all that happened at this instant.
    Drain(usize),
    /// A user releases a lock.
    Release(usize, u64),
    /// A worker makes its next request.
    Work(usize),
}

/// A happening, and when. Nobody has two at once that are equal in all of this.
#[derive(Copy, Clone, Debug)]
struct Noted {
    at: Instant,
    /// Which of those that happen at the same instant.
    nth: u64,
    what: Happening,
}

impl Noted {
    const fn when(&self) -> (Instant, u64) {
        (self.at, self.nth)
    }
}

/// Of equal instants the one that was noted first comes first.
#[derive(Default)]
pub(crate) struct Agenda {
    /// The next one last. They are few, and most that are added come late: to move these is less than what a heap takes.
    waiting: Vec<Noted>,
    /// The deadline of everybody who has one. They change all the time: above they would be in the way.
    deadlines: Vec<Option<Noted>>,
    /// When the first of them is, and where.
    first: Option<((Instant, u64), usize)>,
    count: u64,
}

impl Agenda {
    pub(crate) fn push(&mut self, at: Instant, what: Happening) {
        let noted = self.note(at, what);
        let later = self.waiting.iter().take_while(|other| other.at > at);
        let place = later.count();
        self.waiting.insert(place, noted);
    }

    /// Sets the one deadline of somebody: of a client, or of a server.
    pub(crate) fn set(&mut self, at: Instant, whose: Happening) {
        let noted = self.note(at, whose);
        let place = match whose {
            Happening::Client(client) => 2 * client,
            Happening::Server(node) => 2 * node + 1,
            Happening::Opened(_)
            | Happening::Up(_)
            | Happening::Down(_)
            | Happening::Drain(_)
            | Happening::Release(..)
            | Happening::Work(_) => unreachable!("it has no deadline"),
        };
        if self.deadlines.len() <= place {
            self.deadlines.resize(place + 1, None);
        }
        self.deadlines[place] = Some(noted);
        match self.first {
            Some((first, _)) if noted.when() < first => self.first = Some((noted.when(), place)),
            Some((_, of)) if of != place => {}
            Some(_) | None => self.find_first(),
        }
    }

    /// What happens next, if that is not after `end`.
    pub(crate) fn pop_until(&mut self, end: Instant) -> Option<(Instant, Happening)> {
        let waiting = self.waiting.last();
        if let Some((first, place)) = self.first
            && waiting.is_none_or(|waiting| first < waiting.when())
        {
            if first.0 > end {
                return None;
            }
            let noted = self.deadlines[place].take();
            self.find_first();
            return noted.map(|noted| (noted.at, noted.what));
        }
        if waiting?.at > end {
            return None;
        }
        let noted = self.waiting.pop()?;
        Some((noted.at, noted.what))
    }

    fn note(&mut self, at: Instant, what: Happening) -> Noted {
        self.count += 1;
        let nth = self.count;
        Noted { at, nth, what }
    }

    fn find_first(&mut self) {
        let all = self.deadlines.iter().enumerate();
        let whens = all.filter_map(|(place, noted)| Some((noted.as_ref()?.when(), place)));
        self.first = whens.min();
    }
}
