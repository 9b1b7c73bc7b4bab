//! The only engine of an instance of the module. Two engines are two instances, so that a trap in one leaves the other intact.

use alloc::vec::Vec;

use spin::mutex::SpinMutex;
use tenure_core::{Engine, LockId};

use crate::pack::Reader;
use crate::record::Record;

/// The memory that TypeScript and the engine share: requests come in, records go out.
pub(crate) struct Exchange {
    /// The bytes of a request.
    pub(crate) input: Vec<u8>,
    pub(crate) record: Record,
}

impl Exchange {
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
    /// `None` before the start.
    engine: Option<Engine>,
    exchange: Exchange,
}

/// There is one thread, and nothing here calls JavaScript, which could call back: so the mutex is always free, except after a
/// trap.
static STATE: SpinMutex<State> = SpinMutex::new(State {
    engine: None,
    exchange: Exchange {
        input: Vec::new(),
        record: Record::new(),
    },
});

/// Runs a step that needs no engine. After a step that trapped, nothing runs: that step still has the mutex.
pub(crate) fn exchange<T>(run: impl FnOnce(&mut Exchange) -> T) -> Option<T> {
    STATE.try_lock().map(|mut state| run(&mut state.exchange))
}

/// Makes the engine, and says whether there is one now.
pub(crate) fn start(make: impl FnOnce(&mut Exchange) -> Option<Engine>) -> Option<bool> {
    STATE.try_lock().map(|mut state| {
        state.engine = make(&mut state.exchange);
        state.engine.is_some()
    })
}

/// Runs a step of the engine. Without one there is nothing to do.
pub(crate) fn step<T: Default>(run: impl FnOnce(&mut Engine, &mut Exchange) -> T) -> T {
    let mut state = STATE.try_lock();
    match state.as_deref_mut() {
        Some(State {
            engine: Some(engine),
            exchange,
        }) => run(engine, exchange),
        _ => T::default(),
    }
}
