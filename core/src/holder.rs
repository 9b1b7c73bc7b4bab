//! Who is in the way of a request.

use core::fmt;

/// Who holds a key, or comes first.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Holder {
    /// A client outside this engine.
    Other,
    /// Another lock of this engine.
    Ourselves,
    /// Those who share it: readers, or as many permits as the limit allows. Reported to requests of a [`crate::Mode`] that
    /// knows of them; to an `Exclusive` one they are the same as any other holder.
    Sharing,
    /// Nobody has to: a client that has waited for longer comes first.
    Queue,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Other => "by another client",
            Self::Ourselves => "by another lock of this program",
            Self::Sharing => "by those who share it",
            Self::Queue => "for a client that has waited longer",
        })
    }
}
