//! The same hand-off by hand, with nothing but sockets and the same commands: what no library can be below.

use tenure_core::redis::Script;
use tenure_core::redis::resp::{DecodeLimits, Decoder, command};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::now;

const GREETING: &[u8] =
    b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n*4\r\n$6\r\nCLIENT\r\n$8\r\nTRACKING\r\n$2\r\nON\r\n$6\r\nNOLOOP\r\n";
const ASK: &[u8] =
    b"*6\r\n$3\r\nSET\r\n$1\r\nr\r\n$1\r\nv\r\n$2\r\nNX\r\n$2\r\nPX\r\n$5\r\n30000\r\n*2\r\n$4\r\nPTTL\r\n$1\r\nr\r\n";

/// A connection with tracking.
pub(crate) struct Hand {
    stream: TcpStream,
    decoder: Decoder,
    release: Vec<u8>,
}

impl Hand {
    pub(crate) async fn open(port: u16, compares: bool) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("open");
        stream.set_nodelay(true).expect("a TCP stream");
        let mut hand = Self {
            stream,
            decoder: Decoder::new(DecodeLimits::default()),
            release: release(compares),
        };
        hand.exchange(GREETING, 2).await;
        let mut load = Vec::new();
        command(&mut load, 3)
            .arg(b"SCRIPT")
            .arg(b"LOAD")
            .arg(Script::Release.text().as_bytes());
        hand.exchange(&load, 1).await;
        hand
    }

    /// Takes the lock; `false` if somebody has it. From then on its end is reported.
    pub(crate) async fn ask(&mut self) -> bool {
        self.exchange(ASK, 2).await
    }

    /// When it had the lock.
    pub(crate) async fn wait(&mut self) -> std::time::Duration {
        while !self.ask().await {
            while !self.next_is_push().await {}
        }
        now()
    }

    pub(crate) async fn release(&mut self) {
        let release = std::mem::take(&mut self.release);
        self.exchange(&release, 1).await;
        self.release = release;
    }

    /// Sends commands and waits for so many replies. Whether the first of them was `OK`.
    async fn exchange(&mut self, commands: &[u8], replies: usize) -> bool {
        self.stream.write_all(commands).await.expect("sent");
        let mut granted = false;
        let mut left = replies;
        while left > 0 {
            if self.next(|reply| granted |= reply == b"+OK\r\n").await {
                continue;
            }
            left -= 1;
        }
        granted
    }

    async fn next_is_push(&mut self) -> bool {
        self.next(|_| {}).await
    }

    /// Whether what comes next is a push.
    async fn next(&mut self, look: impl FnOnce(&[u8])) -> bool {
        let mut bytes = [0; 512];
        loop {
            if let Some(reply) = self.decoder.next_reply().expect("RESP") {
                look(reply.raw());
                return reply.is_push();
            }
            let length = self.stream.read(&mut bytes).await.expect("answered");
            assert!(length > 0, "the server is gone");
            self.decoder.feed(&bytes[..length]);
        }
    }
}

/// What Tenure sends to release a key, where the server compares a value itself and where it needs a script.
fn release(compares: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    if compares {
        command(&mut bytes, 3).arg(b"DELIFEQ").arg(b"r").arg(b"v");
    } else {
        command(&mut bytes, 5)
            .arg(b"EVALSHA")
            .arg(Script::Release.sha().as_bytes())
            .arg(b"1")
            .arg(b"r")
            .arg(b"v");
    }
    bytes
}
