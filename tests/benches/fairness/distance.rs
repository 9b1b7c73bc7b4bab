//! A way of a fixed length between a client and a server.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Starts to pass on connections to `target`, with every byte later by `one_way` in both directions; returns the port.
/// Threads sleep for that, which the operating system ends within 0.1 ms: far better than a timer of the runtime.
/// It ends with this program.
pub(crate) fn relay(target: u16, one_way: Duration) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("a bound socket").port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let connected = client.and_then(|client| connect(client, target, one_way));
            connected.expect("a connection to the server");
        }
    });
    port
}

fn connect(client: TcpStream, target: u16, one_way: Duration) -> io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", target))?;
    carry(client.try_clone()?, server.try_clone()?, one_way)?;
    carry(server, client, one_way)
}

/// Carries bytes in one direction until its end, which is passed on, too.
fn carry(from: TcpStream, to: TcpStream, one_way: Duration) -> io::Result<()> {
    to.set_nodelay(true)?;
    let (departed, arriving) = channel();
    thread::spawn(move || depart(from, &departed));
    thread::spawn(move || arrive(&arriving, to, one_way));
    Ok(())
}

fn depart(mut from: TcpStream, departed: &Sender<(Instant, Vec<u8>)>) {
    let mut buffer = vec![0; 64 * 1024];
    // Processes that end reset their connections: that is an end like any other.
    while let Ok(length) = from.read(&mut buffer) {
        let bytes = buffer[..length].to_vec();
        if length == 0 || departed.send((Instant::now(), bytes)).is_err() {
            return;
        }
    }
}

fn arrive(arriving: &Receiver<(Instant, Vec<u8>)>, mut to: TcpStream, one_way: Duration) {
    for (departed, bytes) in arriving {
        thread::sleep((departed + one_way).saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            return;
        }
    }
    // Fails only if the other side is gone.
    let _ = to.shutdown(Shutdown::Write);
}
