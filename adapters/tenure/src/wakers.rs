//! Tasks that wait for the same thing.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Locks a mutex, even a poisoned one: its data is consistent whenever the mutex can be taken.
pub(crate) fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Replaces a waker. Returns the old one, unless both wake the same task.
#[must_use]
pub(crate) fn put(place: &mut Option<Waker>, waker: &Waker) -> Option<Waker> {
    if place.as_ref().is_some_and(|old| old.will_wake(waker)) {
        return None;
    }
    place.replace(waker.clone())
}

/// A place per waiting task: `None` is free, `Some(None)` belongs to a task that has been woken.
#[derive(Default, Debug)]
pub(crate) struct Wakers(Vec<Option<Option<Waker>>>);

impl Wakers {
    /// Takes the wakers of all waiting tasks. Wake them when no mutex is held: a waker may run any code.
    pub(crate) fn take_into(&mut self, wakes: &mut Vec<Waker>) {
        wakes.extend(self.0.iter_mut().flatten().filter_map(Option::take));
    }

    /// Drop the result of this and of [`Self::unregister`] when no mutex is held: the last waker of a task may drop the task,
    /// and with it a lock, whose drop takes the mutex.
    #[must_use]
    fn register(&mut self, place: &mut Option<usize>, waker: &Waker) -> Option<Waker> {
        let index = *place.get_or_insert_with(|| {
            self.0.iter().position(Option::is_none).unwrap_or_else(|| {
                self.0.push(None);
                self.0.len() - 1
            })
        });
        match self.0.get_mut(index) {
            Some(slot) => put(slot.get_or_insert(None), waker),
            None => None,
        }
    }

    #[must_use]
    fn unregister(&mut self, place: usize) -> Option<Waker> {
        let left = self.0.get_mut(place).and_then(Option::take).flatten();
        while let Some(None) = self.0.last() {
            self.0.pop();
        }
        left
    }
}

/// The place of one future in [`Wakers`] behind a mutex. Dropping it frees the place.
pub(crate) struct WaitSlot<'a, S> {
    mutex: &'a Mutex<S>,
    wakers: fn(&mut S) -> &mut Wakers,
    place: Option<usize>,
}

impl<'a, S> WaitSlot<'a, S> {
    pub(crate) fn new(mutex: &'a Mutex<S>, wakers: fn(&mut S) -> &mut Wakers) -> Self {
        Self {
            mutex,
            wakers,
            place: None,
        }
    }

    /// Ready when `ask` returns something.
    pub(crate) fn poll<T>(
        &mut self,
        cx: &Context<'_>,
        mut ask: impl FnMut(&mut S) -> Option<T>,
    ) -> Poll<T> {
        let mut guarded = guard(self.mutex);
        match ask(&mut guarded) {
            Some(answer) => Poll::Ready(answer),
            None => {
                let old = (self.wakers)(&mut guarded).register(&mut self.place, cx.waker());
                drop(guarded);
                drop(old);
                Poll::Pending
            }
        }
    }

    /// Waits until `ask` returns something.
    pub(crate) async fn wait<T>(mut self, mut ask: impl FnMut(&mut S) -> Option<T>) -> T {
        std::future::poll_fn(|cx| self.poll(cx, &mut ask)).await
    }
}

impl<S> Drop for WaitSlot<'_, S> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            let left = (self.wakers)(&mut guard(self.mutex)).unregister(place);
            drop(left);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    #[test]
    fn places_are_used_again_and_given_back() {
        let mutex = Mutex::new(Wakers::default());
        let cx = Context::from_waker(Waker::noop());
        let slot = || WaitSlot::new(&mutex, |wakers| wakers);
        let (mut a, mut b, mut c) = (slot(), slot(), slot());
        let register = |slot: &mut WaitSlot<'_, Wakers>| {
            assert!(slot.poll(&cx, |_| None::<()>).is_pending());
        };
        (0..3).for_each(|_| register(&mut a));
        register(&mut b);
        assert_eq!(guard(&mutex).0.len(), 2);
        drop(a);
        register(&mut c);
        assert_eq!(guard(&mutex).0.len(), 2);

        let mut wakes = Vec::new();
        guard(&mutex).take_into(&mut wakes);
        assert_eq!(wakes.len(), 2);
        guard(&mutex).take_into(&mut wakes);
        assert_eq!(wakes.len(), 2, "nobody is woken twice");

        drop((b, c));
        assert!(guard(&mutex).0.is_empty());
    }

    /// The last waker of a task that holds a lock: dropping it drops the task, and with it the lock.
    struct Last(Arc<Mutex<Wakers>>);

    impl Wake for Last {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Last {
        fn drop(&mut self) {
            assert!(self.0.try_lock().is_ok(), "dropped under the mutex");
        }
    }

    #[test]
    fn no_waker_is_dropped_under_the_mutex() {
        let mutex = Arc::new(Mutex::new(Wakers::default()));
        let mut slot = WaitSlot::new(&mutex, |wakers| wakers);
        for _ in 0..2 {
            let waker = Waker::from(Arc::new(Last(Arc::clone(&mutex))));
            let cx = Context::from_waker(&waker);
            assert!(slot.poll(&cx, |_| None::<()>).is_pending());
        }
        drop(slot);
        assert!(guard(&mutex).0.is_empty());
    }
}
