//! Threads get the same locks: the suite of all lockers, with a thread for each request.

mod threads;

use tenure::blocking::{Memory, connect};
use tenure_tests::servers::{Kind, Server};
use tenure_tests::suite::everything;
use threads::Threads;

#[test]
fn threads_get_the_same_locks_on_a_server() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let [alice, bob] = [(); 2].map(|()| Threads(connect(server.url()).expect("a locker")));
        smol::block_on(everything("blocking", alice, bob));
    }
}

#[test]
fn threads_get_the_same_locks_from_the_embedded_server() {
    let server = Memory::new();
    let [alice, bob] = [(); 2].map(|()| Threads(server.locker()));
    smol::block_on(everything("blocking, embedded server", alice, bob));
}
