//! The state that handles and the driver share: the engine, behind a mutex that is held only for a moment, never across an
//! await and never during I/O.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use tenure_core::redis::slot;
use tenure_core::{
    Config, Engine, Event, Fence, Instant, Key, Keys, Lease, LockId, Mode, NodeError, NodeId,
    NodeState, NotChanged,
};

use crate::cell::{Cell, Cells, End, Grant};
use crate::clock::Clock;
use crate::error::{Cause, ConnectError, Detail, Unreachable, fault_of};
use crate::link::Gone;
use crate::wakers::{Wakers, guard};

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    /// Whether a command has woken the driver.
    pub(crate) called: AtomicBool,
    /// Everything but the driver that needs the driver to go on.
    handles: AtomicUsize,
    /// What stands before each key, if a server goes by the slots of keys.
    cluster_prefix: Option<Box<[u8]>>,
    pub(crate) state: Mutex<LockerState>,
}

#[derive(Debug)]
pub(crate) struct LockerState {
    pub(crate) engine: Engine,
    pub(crate) cells: Cells,
    /// The waker of the driver while it sleeps.
    pub(crate) driver: Option<Waker>,
    pub(crate) stage: Stage,
    nodes: Vec<NodeRecord>,
    /// How many nodes must be ready for a quorum.
    needed: usize,
    /// Tasks that wait for nodes to be ready, or for the end.
    pub(crate) watchers: Wakers,
}

/// The stage of a locker.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    Open,
    /// Locks are being released, and new requests refused.
    Closing,
    /// The driver has ended.
    Ended,
}

/// The state of a node.
#[derive(Debug)]
struct NodeRecord {
    address: String,
    health: Health,
    /// Why its last connection ended.
    error: Option<Gone>,
}

#[derive(Debug)]
enum Health {
    Unknown,
    Ready,
    Down(String, Cause),
}

/// The locker is closed.
#[derive(Debug)]
pub(crate) struct Closed;

impl Shared {
    pub(crate) fn new(
        config: Config,
        addresses: Vec<String>,
        has_cluster: bool,
        seed: u64,
        clock: Clock,
    ) -> Arc<Self> {
        let needed = config.quorum();
        let cluster_prefix = has_cluster.then(|| config.prefix.clone());
        let nodes = addresses.into_iter().map(|address| NodeRecord {
            address,
            health: Health::Unknown,
            error: None,
        });
        let state = LockerState {
            nodes: nodes.collect(),
            engine: Engine::new(config, seed, clock.now()),
            cells: Cells::default(),
            driver: None,
            stage: Stage::Open,
            needed,
            watchers: Wakers::default(),
        };
        Arc::new(Self {
            clock,
            called: AtomicBool::new(false),
            handles: AtomicUsize::new(0),
            cluster_prefix,
            state: Mutex::new(state),
        })
    }

    /// Passes a command to the engine, and wakes the driver.
    fn command<T>(&self, command: impl FnOnce(&mut LockerState, Instant) -> T) -> T {
        let (answer, driver) = {
            let mut state = guard(&self.state);
            // The clock is read under the mutex, so that the engine sees time in order.
            let answer = command(&mut state, self.clock.now());
            (answer, state.driver.take())
        };
        if let Some(driver) = driver {
            self.called.store(true, Ordering::Relaxed);
            driver.wake();
        }
        answer
    }
}

/// A counted reference to the locker. When the last one is dropped, all locks are released and the driver ends.
#[derive(Debug)]
pub(crate) struct Handle(Arc<Shared>);

impl Handle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        shared.handles.fetch_add(1, Ordering::Relaxed);
        Self(shared)
    }

    pub(crate) fn now(&self) -> Instant {
        self.0.clock.now()
    }

    /// The current lease of a lock.
    pub(crate) fn lease(&self, id: LockId) -> Option<Lease> {
        guard(&self.0.state).engine.lease(id)
    }

    /// The mode of a lock, if it is held.
    pub(crate) fn mode(&self, id: LockId) -> Option<Mode> {
        guard(&self.0.state).engine.mode(id)
    }

    /// The fence of a lock, if the lock is held and has one.
    pub(crate) fn fence(&self, id: LockId) -> Option<Option<Fence>> {
        let state = guard(&self.0.state);
        state.engine.lease(id).map(|_| state.engine.fence(id))
    }

    pub(crate) fn state(&self) -> &Mutex<LockerState> {
        &self.0.state
    }

    /// Two of these keys that no server of a cluster has together.
    pub(crate) fn apart(&self, keys: &Keys) -> Option<[Key; 2]> {
        let prefix = self.0.cluster_prefix.as_ref()?;
        let slot_of = |key: &Key| slot(&[prefix, key.as_bytes()].concat());
        let first = keys.first();
        let mut others = keys.iter().skip(1);
        let other = others.find(|other| slot_of(other) != slot_of(first))?;
        Some([first.clone(), other.clone()])
    }

    /// Starts a lock or an inspection, and makes its cell.
    pub(crate) fn start(
        &self,
        start: impl FnOnce(&mut Engine, Instant) -> LockId,
    ) -> Result<(LockId, Arc<Cell>), Closed> {
        self.0.command(|state, now| {
            if state.stage != Stage::Open {
                return Err(Closed);
            }
            let id = start(&mut state.engine, now);
            let cell = Arc::<Cell>::default();
            state.cells.insert(id, Arc::clone(&cell));
            Ok((id, cell))
        })
    }

    pub(crate) fn command<T>(&self, command: impl FnOnce(&mut Engine, Instant) -> T) -> T {
        self.0.command(|state, now| command(&mut state.engine, now))
    }

    /// Ends an inspection without an event.
    pub(crate) fn forget(&self, inspection: LockId) {
        self.0.command(|state, now| {
            state.engine.release(inspection, now);
            state.cells.take(inspection);
        });
    }

    /// Releases all locks and refuses new requests.
    pub(crate) fn close(&self) {
        let mut wakes = Vec::new();
        self.0.command(|state, now| state.close(now, &mut wakes));
        for waker in wakes {
            waker.wake();
        }
    }
}

impl Clone for Handle {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.0))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.0.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.close();
        }
    }
}

impl LockerState {
    fn close(&mut self, now: Instant, wakes: &mut Vec<Waker>) {
        if self.stage == Stage::Open {
            self.stage = Stage::Closing;
            self.engine.close(now);
            for cell in self.cells.iter() {
                cell.give_up(wakes);
            }
        }
    }

    /// The driver has ended: nothing will come from it.
    pub(crate) fn end(&mut self, wakes: &mut Vec<Waker>) {
        self.stage = Stage::Ended;
        for cell in self.cells.drain() {
            cell.over(End::Closed, None, wakes);
        }
        self.watchers.take_into(wakes);
    }

    /// Keeps why a connection ended, for errors and logs. The engine only needs to know that it did.
    pub(crate) fn note(&mut self, node: usize, error: Gone) {
        if let Some(node) = self.nodes.get_mut(node) {
            node.error = Some(error);
        }
    }

    /// The address of a node, for logs.
    pub(crate) fn address(&self, node: usize) -> &str {
        self.nodes.get(node).map_or("", |node| &node.address)
    }

    /// Passes an event to the cell of its lock or to the state of its node.
    pub(crate) fn dispatch(&mut self, event: Event, wakes: &mut Vec<Waker>) {
        match event {
            Event::Obtained { lock, lease } => {
                let fence = self.engine.fence(lock);
                let grant = self.engine.claim(lock).cloned().map(|claim| Grant {
                    claim,
                    lease,
                    fence,
                });
                if let Some(cell) = self.cells.find(lock) {
                    cell.held(lease, grant, wakes);
                }
            }
            Event::Refreshed {
                lock,
                lease,
                requested,
            } => {
                if let Some(cell) = self.cells.find(lock) {
                    cell.refreshed(lease, requested, wakes);
                }
            }
            Event::Changed { lock, .. } => self.changed(lock, None, wakes),
            Event::NotChanged { lock, reason } => self.changed(lock, Some(reason), wakes),
            Event::NotObtained { lock, reason } => {
                self.over(lock, End::NotObtained(reason), wakes);
            }
            Event::Lost { lock, reason } => self.over(lock, End::Lost(reason), wakes),
            Event::Released { lock, proof } => self.over(lock, End::Released(proof), wakes),
            Event::Inspected { inspection } => {
                let result = self.engine.take_inspection(inspection);
                let status = self.engine.take_status(inspection);
                let error = result.as_ref().and_then(|result| result.as_ref().err());
                let error = error.or_else(|| status.as_ref()?.as_ref().err());
                let detail = self.server_detail(error.copied());
                if let Some(cell) = self.cells.take(inspection) {
                    cell.inspected(result, status, detail, wakes);
                }
            }
            Event::Node { node, state } => {
                self.node_changed(node, state);
                self.watchers.take_into(wakes);
            }
            _ => {}
        }
    }

    fn changed(&self, lock: LockId, result: Option<NotChanged>, wakes: &mut Vec<Waker>) {
        let known = (self.engine.lease(lock), self.engine.fence(lock));
        if let Some(cell) = self.cells.find(lock) {
            cell.changed(result, known, wakes);
        }
    }

    fn over(&mut self, lock: LockId, end: End, wakes: &mut Vec<Waker>) {
        let detail = match end {
            End::NotObtained(reason) => self.server_detail(fault_of(reason)),
            End::Lost(_) | End::Released(_) | End::Closed => None,
        };
        if let Some(cell) = self.cells.take(lock) {
            cell.over(end, detail, wakes);
        }
    }

    /// The server's own text, if the error is one that the engine does not know.
    pub(crate) fn server_detail(&self, error: Option<NodeError>) -> Option<Box<str>> {
        let detail = self.engine.unknown_error();
        detail
            .filter(|_| error == Some(NodeError::Other))
            .map(Into::into)
    }

    fn node_changed(&mut self, id: NodeId, state: NodeState) {
        let Some(node) = self.nodes.get_mut(id.index()) else {
            return;
        };
        let error = node.error.take();
        node.health = match state {
            NodeState::Ready { .. } => Health::Ready,
            NodeState::Down(NodeError::Disconnected) => {
                let node = NodeError::Disconnected;
                let cause = match &error {
                    Some(gone) if gone.no_server => Cause::NoServer,
                    _ => Cause::Node(node),
                };
                let detail = error.map_or_else(|| node.to_string(), |gone| gone.message);
                Health::Down(detail, cause)
            }
            NodeState::Down(error) => {
                let detail = self.engine.unknown_error_of(id);
                let detail = Detail(detail.filter(|_| error == NodeError::Other));
                Health::Down(format!("{error}{detail}"), Cause::Node(error))
            }
            _ => return,
        };
    }

    /// Whether enough nodes are ready; `None` while that is open.
    pub(crate) fn ready(&self) -> Option<Result<(), ConnectError>> {
        if self.stage != Stage::Open {
            return Some(Err(ConnectError::Closed));
        }
        let ready = |node: &&NodeRecord| matches!(node.health, Health::Ready);
        let ready = self.nodes.iter().filter(ready).count();
        if ready >= self.needed {
            return Some(Ok(()));
        }
        let (failures, causes): (Vec<_>, Vec<_>) = self
            .nodes
            .iter()
            .filter_map(|node| match &node.health {
                Health::Down(error, cause) => Some(((node.address.clone(), error.clone()), *cause)),
                Health::Unknown | Health::Ready => None,
            })
            .unzip();
        if self.nodes.len() - failures.len() >= self.needed {
            return None;
        }
        Some(Err(ConnectError::Unreachable(Unreachable {
            needed: self.needed,
            ready,
            failures,
            causes,
        })))
    }
}
