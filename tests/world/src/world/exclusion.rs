//! [`Promise::Exclusion`], and what nodes keep of a lock.

use tenure_core::{Instant, Key, Mode};

use super::World;
use super::held_lock::{Change, HeldLock};
use super::oracle::{Promise, Violation};

impl World {
    /// At no instant do two clients rely on the same key, unless both share it, and then no more than allowed. Reliance
    /// begins only with an event of a client, so checking at events covers every instant.
    pub(super) fn check_exclusion(&mut self, index: usize) -> Result<(), Violation> {
        let now = self.now;
        if self.oracle.is_excused(now) {
            self.oracle.excuse(Promise::Exclusion);
            return Ok(());
        }
        let mut excused = false;
        for mine in self.clients[index].valid_locks(now) {
            let mut sharing = vec![(mine.value.clone(), mine.mode)];
            for (other, client) in self.clients.iter().enumerate() {
                for theirs in client.valid_locks(now) {
                    let same = other == index && theirs.lock == mine.lock;
                    if same || theirs.value == mine.value || !share_a_key(mine, theirs) {
                        continue;
                    }
                    let fast = !client.clock_in_bounds || !self.clients[index].clock_in_bounds;
                    // A late release of an earlier lock with the same token has released this one.
                    let released = [(index, mine), (other, theirs)].iter().any(|(client, of)| {
                        of.owned && self.clients[*client].late_arrival.is_some()
                    });
                    if fast || released {
                        excused = true;
                        continue;
                    }
                    if is_shared(mine.mode) && is_shared(theirs.mode) {
                        sharing.push((theirs.value.clone(), theirs.mode));
                        continue;
                    }
                    let how = format!(
                        "{index} ({:?}) and {other} ({:?}) both rely on {:?}",
                        mine.lock, theirs.lock, mine.keys
                    );
                    return Err(Promise::Exclusion.broken(how));
                }
            }
            if is_over_limit(&mut sharing) {
                let how = format!(
                    "{index} shares {:?} with {} others",
                    mine.keys,
                    sharing.len() - 1
                );
                return Err(Promise::Exclusion.broken(how));
            }
        }
        if excused {
            self.oracle.excuse(Promise::Exclusion);
        } else {
            self.oracle.kept(Promise::Exclusion);
        }
        Ok(())
    }

    /// Whether a node keeps all keys of a lock for its client until `end`.
    pub(super) fn backs(&self, node: usize, held_lock: &HeldLock, end: Instant) -> bool {
        let clock = &self.nodes[node].clock;
        held_lock.keys.iter().all(|key| {
            let Some((value, last)) = self.holding(node, key) else {
                return false;
            };
            // It is there for the whole of its last millisecond.
            let gone = last.map(|last| Instant::from_micros((last + 1) * 1000));
            let gone = gone.and_then(|gone| clock.when(gone));
            let lasts = gone.is_none_or(|gone| gone >= end);
            // A lock that changes, or may have changed, is relied on as one that shares its key, and may have it alone.
            let alone = *value == *held_lock.value && lasts;
            if is_shared(held_lock.mode) && !(alone && held_lock.change != Change::Settled) {
                return *value == *b"~shared" && lasts && self.is_inside(node, key, held_lock, end);
            }
            alone
        })
    }

    /// Whether a node keeps a key for a lock with this value, alone or with others.
    pub(super) fn keeps(&self, node: usize, key: &Key, value: &[u8]) -> bool {
        match self.holding(node, key) {
            Some((b"~shared", _)) => {
                let end = self.end_inside(node, key, value);
                let own = self.nodes[node].clock.read(self.now);
                end.is_some_and(|end| end > own)
            }
            Some((held, _)) => *held == *value,
            None => false,
        }
    }

    /// Whether a lock is among those that share the key until `end`.
    fn is_inside(&self, node: usize, key: &Key, held_lock: &HeldLock, end: Instant) -> bool {
        let gone = self.end_inside(node, key, &held_lock.value);
        let when = |gone| self.nodes[node].clock.when(gone);
        gone.is_some_and(|gone| when(gone).is_none_or(|gone| gone >= end))
    }

    /// When a node no longer counts a lock among those that share the key, on the clock of the node.
    fn end_inside(&self, node: usize, key: &Key, value: &[u8]) -> Option<Instant> {
        let node = &self.nodes[node];
        let key = String::from_utf8(self.on_the_wire(key)).expect("a key of schedules");
        let own = node.clock.read(self.now);
        let score = node.server.score(&companion(&key, "in"), value, own)?;
        // It counts until the millisecond before its score.
        Some(Instant::from_micros(u64::try_from(score).ok()? * 1000))
    }
}

/// The name of a companion of a key, which has a hash tag if it has a brace.
pub(super) fn companion(key: &str, kind: &str) -> Vec<u8> {
    let name = if key.contains('{') {
        format!("{key}~~{kind}")
    } else {
        format!("{{{key}}}~{kind}")
    };
    name.into_bytes()
}

pub(super) fn is_shared(mode: Mode) -> bool {
    matches!(mode, Mode::Shared { .. })
}

/// Whether more share a key than the largest limit among them. Locks with one token are one.
fn is_over_limit(sharing: &mut Vec<(Box<[u8]>, Mode)>) -> bool {
    sharing.sort_by(|a, b| a.0.cmp(&b.0));
    sharing.dedup_by(|a, b| a.0 == b.0);
    let limit = |(_, mode): &(Box<[u8]>, Mode)| match mode {
        Mode::Shared { limit } => limit.map_or(usize::MAX, |limit| limit.get() as usize),
        Mode::Exclusive | Mode::InTurn | _ => 1,
    };
    sharing.len() > sharing.iter().map(limit).max().unwrap_or(usize::MAX)
}

fn share_a_key(a: &HeldLock, b: &HeldLock) -> bool {
    a.keys
        .iter()
        .any(|key| b.keys.iter().any(|other| other == key))
}
