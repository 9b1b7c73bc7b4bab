//! Slots that are used again, with a generation so that an old id never means a new tenant.

use alloc::vec::Vec;
#[cfg(feature = "search")]
use core::hash::{Hash, Hasher};

use crate::id::LockId;

#[derive(Clone, Debug)]
pub(crate) struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Slot<T> {
    generation: u32,
    tenant: Option<T>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    pub(crate) fn insert(&mut self, tenant: T) -> LockId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                generation: 0,
                tenant: None,
            });
            // Room to put every slot back, so that removing never allocates.
            self.free.reserve(self.slots.len());
            u32::try_from(self.slots.len().saturating_sub(1)).unwrap_or(u32::MAX)
        });
        let mut id = LockId {
            slot,
            generation: 0,
        };
        if let Some(entry) = self.slots.get_mut(slot as usize) {
            id.generation = entry.generation;
            entry.tenant = Some(tenant);
        }
        id
    }

    pub(crate) fn remove(&mut self, id: LockId) -> Option<T> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        if slot.generation != id.generation {
            return None;
        }
        let tenant = slot.tenant.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id.slot);
        Some(tenant)
    }

    /// Like [`Slab::remove`], where the tenant is dropped in its place and not moved out first.
    pub(crate) fn vacate(&mut self, id: LockId) {
        if let Some(slot) = self.slots.get_mut(id.slot as usize)
            && slot.generation == id.generation
            && slot.tenant.is_some()
        {
            slot.tenant = None;
            slot.generation = slot.generation.wrapping_add(1);
            self.free.push(id.slot);
        }
    }

    pub(crate) fn get(&self, id: LockId) -> Option<&T> {
        let slot = self.slots.get(id.slot as usize)?;
        if slot.generation == id.generation {
            slot.tenant.as_ref()
        } else {
            None
        }
    }

    pub(crate) fn get_mut(&mut self, id: LockId) -> Option<&mut T> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        if slot.generation == id.generation {
            slot.tenant.as_mut()
        } else {
            None
        }
    }

    /// The id of the lock or inspection that has this slot now.
    pub(crate) fn id_of(&self, slot: u32) -> Option<LockId> {
        let entry = self.slots.get(slot as usize)?;
        entry.tenant.as_ref()?;
        Some(LockId {
            slot,
            generation: entry.generation,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len().saturating_sub(self.free.len())
    }

    /// Feeds `hasher` with which slots are taken, and in which order others will be: first those that are free, the last
    /// one first, then new ones in the order of their numbers.
    #[cfg(feature = "search")]
    pub(crate) fn fingerprint<H: Hasher>(&self, hasher: &mut H) {
        let (mut end, mut free) = (self.slots.len(), self.free.as_slice());
        // A free slot that would come next if it were new is as good as new.
        while let Some((first, rest)) = free.split_first()
            && (*first as usize).checked_add(1) == Some(end)
        {
            (end, free) = (*first as usize, rest);
        }
        (end, free).hash(hasher);
    }

    /// What is in each slot.
    #[cfg(feature = "search")]
    pub(crate) fn entries(&self) -> impl Iterator<Item = Option<&T>> {
        self.slots.iter().map(|slot| slot.tenant.as_ref())
    }

    /// Ids in the order of their slots; also those that come while it is walked.
    pub(crate) fn first_from(&self, slot: u32) -> Option<LockId> {
        let slots = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        (slot..slots).find_map(|slot| self.id_of(slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_id_never_means_a_new_tenant() {
        let mut slab = Slab::default();
        let old = slab.insert('a');
        assert_eq!(slab.remove(old), Some('a'));
        let new = slab.insert('b');
        assert_eq!(new.slot, old.slot);
        assert_eq!(slab.remove(old), None);
        assert_eq!(slab.get(old), None);
        assert_eq!(slab.len(), 1);
        assert_eq!(slab.get(new), Some(&'b'));
        assert_eq!(slab.first_from(0), Some(new));
        slab.vacate(old);
        assert_eq!(slab.get(new), Some(&'b'));
        slab.vacate(new);
        assert_eq!((slab.get(new), slab.len()), (None, 0));
        assert_eq!(slab.insert('c').slot, old.slot);
    }
}
