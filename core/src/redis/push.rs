//! What a server says of its own accord.

use alloc::vec::Vec;

#[cfg(feature = "modes")]
use crate::redis::bell_name;
use crate::redis::resp::Reply;

/// What a push message means to us.
pub(crate) enum Push {
    /// Nothing.
    Other,
    /// One key changed.
    Key,
    /// One key changed that may be the bell of a client. Its whole name goes to `woken`.
    #[cfg(feature = "modes")]
    Bell,
    /// Any key may have changed.
    All,
}

/// `invalidate` with the keys that changed, or null if all may have. Other pushes are not for us. The one
/// key that changed goes to `woken`, without the prefix.
pub(crate) fn read(push: Reply<'_>, prefix: &[u8], woken: &mut Vec<u8>) -> Push {
    let mut parts = push.children();
    if parts.next().and_then(|name| name.as_bytes()) != Some(b"invalidate") {
        return Push::Other;
    }
    let Some(keys) = parts.next().filter(|keys| !keys.is_null()) else {
        return Push::All;
    };
    let mut keys = keys
        .children()
        .map(|key| key.as_bytes().unwrap_or_default());
    match (keys.next(), keys.next()) {
        (None, _) => Push::Other,
        #[cfg(feature = "modes")]
        (Some(key), None) if bell_name(key).is_some() => {
            woken.clear();
            woken.extend_from_slice(key);
            Push::Bell
        }
        (Some(key), None) => match key.strip_prefix(prefix) {
            Some(key) => {
                woken.clear();
                woken.extend_from_slice(key);
                Push::Key
            }
            None => Push::Other,
        },
        // Servers name one key at a time. A list is so rare that all keys count as changed.
        (Some(_), Some(_)) => Push::All,
    }
}
