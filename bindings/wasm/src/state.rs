//! The one engine of a module. Who wants two takes two instances, so that a trap in one leaves the other alone.

use alloc::vec::Vec;

use spin::mutex::SpinMutex;
use tenure_core::{Engine, LockId};

use crate::pack::Reader;
use crate::record::Record;

/// Where requests come in and answers go out.
pub(crate) struct Desk {
    /// What TypeScript hands in.
    pub(crate) input: Vec<u8>,
    pub(crate) record: Record,
}

impl Desk {
    pub(crate) fn request(&self, len: u32) -> Reader<'_> {
        Reader::new(self.input.get(..len as usize).unwrap_or_default())
    }

    pub(crate) fn started(&mut self, started: Result<LockId, u8>) -> bool {
        match started {
            Ok(id) => self.record.name(id.to_bits()),
            Err(code) => self.record.code(code),
        }
        started.is_ok()
    }
}

struct State {
    /// Nothing before the start.
    engine: Option<Engine>,
    desk: Desk,
}

/// There is one thread, and nothing here calls JavaScript, which could call back: nobody ever waits.
static STATE: SpinMutex<State> = SpinMutex::new(State {
    engine: None,
    desk: Desk {
        input: Vec::new(),
        record: Record::new(),
    },
});

/// Does what needs no engine. Nothing is done after a step that trapped: it has never given the state back.
pub(crate) fn desk<T>(run: impl FnOnce(&mut Desk) -> T) -> Option<T> {
    STATE.try_lock().map(|mut state| run(&mut state.desk))
}

/// Makes the engine, and says whether there is one now.
pub(crate) fn start(make: impl FnOnce(&mut Desk) -> Option<Engine>) -> Option<bool> {
    STATE.try_lock().map(|mut state| {
        state.engine = make(&mut state.desk);
        state.engine.is_some()
    })
}

/// Runs a step of the engine. Without one there is nothing to do.
pub(crate) fn step<T: Default>(run: impl FnOnce(&mut Engine, &mut Desk) -> T) -> T {
    let mut state = STATE.try_lock();
    match state.as_deref_mut() {
        Some(State {
            engine: Some(engine),
            desk,
        }) => run(engine, desk),
        _ => T::default(),
    }
}
