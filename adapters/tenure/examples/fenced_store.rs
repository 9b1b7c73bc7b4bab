//! A small store over HTTP that refuses late writers: `PUT /NAME` needs the header `Tenure-Fence`. See `core/docs/guards.md`.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A document, and the largest fence that it was written with.
#[derive(Default)]
struct Document {
    fence: u64,
    body: Vec<u8>,
}

type Store = Arc<Mutex<HashMap<String, Document>>>;

/// The fence of a request that may change something, or the status that refuses it.
fn admit(largest: u64, header: Option<&str>) -> Result<u64, u16> {
    let fence = header.ok_or(428_u16)?.parse().map_err(|_| 400_u16)?;
    if fence < largest { Err(412) } else { Ok(fence) }
}

/// Compares and writes under one lock of the store, so that nothing comes in between.
fn put(store: &Store, name: &str, header: Option<&str>, body: Vec<u8>) -> u16 {
    let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
    let document = store.entry(name.to_owned()).or_default();
    match admit(document.fence, header) {
        Ok(fence) => {
            *document = Document { fence, body };
            204
        }
        Err(status) => status,
    }
}

/// Answers the requests of one connection.
fn serve(stream: TcpStream, store: &Store) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    let mut request = String::new();
    while reader.read_line(&mut request)? > 0 {
        let (mut fence, mut length) = (None, 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "tenure-fence" => fence = Some(value.trim().to_owned()),
                "content-length" => length = value.trim().parse().unwrap_or(0),
                _ => {}
            }
        }
        let mut body = Vec::new();
        reader.by_ref().take(length).read_to_end(&mut body)?;
        let mut words = request.split(' ');
        let (method, name) = (words.next(), words.next().unwrap_or_default());
        let (status, body) = match method {
            Some("PUT") => (put(store, name, fence.as_deref(), body), Vec::new()),
            Some("GET") => {
                let store = store.lock().unwrap_or_else(PoisonError::into_inner);
                let body = store.get(name).map(|document| document.body.clone());
                (
                    if body.is_some() { 200 } else { 404 },
                    body.unwrap_or_default(),
                )
            }
            _ => (405, Vec::new()),
        };
        // A response with 204 has no length.
        let length = if status == 204 {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", body.len())
        };
        let mut response = format!("HTTP/1.1 {status} \r\n{length}\r\n").into_bytes();
        response.extend(body);
        writer.write_all(&response)?;
        request.clear();
    }
    Ok(())
}

/// Starts the store on a free port, for as long as the program runs.
pub(crate) fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let store = Store::default();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let store = Arc::clone(&store);
            // A connection that breaks concerns nobody else.
            std::thread::spawn(move || serve(stream, &store));
        }
    });
    Ok(address)
}

/// A client of the store.
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    /// Connects.
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        Ok(Self(BufReader::new(TcpStream::connect(address)?)))
    }

    /// Sends a request, and returns the status and the body of the response.
    pub(crate) fn send(
        &mut self,
        request: &str,
        fence: Option<&str>,
        body: &str,
    ) -> io::Result<(u16, String)> {
        let fence = fence.map_or_else(String::new, |fence| format!("Tenure-Fence: {fence}\r\n"));
        let text = format!(
            "{request} HTTP/1.1\r\nHost: store\r\n{fence}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.0.get_mut().write_all(text.as_bytes())?;
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line)?;
            match line.trim_end().split_once(' ') {
                Some(("HTTP/1.1", rest)) => status = rest.trim().parse().unwrap_or(0),
                Some(("Content-Length:", number)) => length = number.parse().unwrap_or(0),
                _ => break,
            }
        }
        let mut body = String::new();
        self.0.by_ref().take(length).read_to_string(&mut body)?;
        Ok((status, body))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut store = Client::connect(start()?)?;
    let locker = tenure::tokio::memory();
    let ttl = Duration::from_millis(100);

    // This holder is paused for longer than its lease, so the next one gets the lock, and writes first.
    let paused = locker.obtain("report").fence().ttl(ttl).manual().await?;
    let next = locker.obtain("report").fence().wait(100 * ttl).await?;
    for (lock, text) in [(&next, "new"), (&paused, "old")] {
        let fence = lock.fence().map(|fence| fence.to_string());
        let (status, _) = store.send("PUT /report", fence.as_deref(), text)?;
        println!(
            "writes \"{text}\" with the fence {}: {status}",
            fence.unwrap_or_default()
        );
    }
    let (_, report) = store.send("GET /report", None, "")?;
    println!("the report is \"{report}\"");
    if report != "new" {
        return Err("a late write got through".into());
    }
    Ok(())
}
