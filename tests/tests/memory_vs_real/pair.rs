//! A real server and the one of `memory`, asked the same on as many connections.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tenure_core::memory::{self, ConnId, Options, Output};
use tenure_tests::raw::encode;
use tenure_tests::servers::{Kind, Server};

/// How many clients there are.
pub(crate) const CLIENTS: usize = 3;

pub(crate) type Words = Vec<Vec<u8>>;

/// The words of a line.
pub(crate) fn words(line: &str) -> Words {
    line.split(' ')
        .map(|word| word.as_bytes().to_vec())
        .collect()
}

pub(crate) struct Pair {
    kind: Kind,
    real: Vec<TcpStream>,
    memory: memory::Server,
    conns: Vec<ConnId>,
    began: Instant,
    /// Whether time passes in `memory` as well.
    passes: bool,
    steps: u32,
}

/// In front of a command: `CLIENT CACHING NO` goes right before it.
pub(crate) const UNREGISTERED: &str = "unregistered";

/// What is sent for these words.
fn bytes(words: &Words) -> Vec<u8> {
    match words.split_first() {
        Some((first, rest)) if first == UNREGISTERED.as_bytes() => {
            let mut bytes = encode(&self::words("CLIENT CACHING NO"));
            bytes.extend(encode(rest));
            bytes
        }
        _ => encode(words),
    }
}

/// Time stands still in `memory`, at about the numbers that a real server has.
const NOW: tenure_core::Instant = tenure_core::Instant::from_micros(1_800_000_000_000_000);

impl Pair {
    /// New clients of an empty server.
    pub(crate) fn new(server: &Server, kind: Kind) -> Self {
        let mut options = Options::default();
        options.compare = kind.has_compare();
        options.set_several = kind.has_compare();
        // Measured: Valkey 9 registers what a script reads, older servers all that it declares.
        options.scripts_read_all = kind != Kind::Valkey9;
        let mut memory = memory::Server::new(options);
        let conns = (0..CLIENTS).map(|_| memory.connect()).collect();
        let connect = |_| {
            let stream = TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
            stream.set_nodelay(true).expect("a socket option");
            // Far longer than any answer: past it the test fails.
            stream
                .set_read_timeout(Some(Duration::from_secs(20)))
                .expect("a socket option");
            stream
        };
        let mut pair = Self {
            kind,
            real: (0..CLIENTS).map(connect).collect(),
            memory,
            conns,
            began: Instant::now(),
            passes: false,
            steps: 0,
        };
        // Two of three track from the beginning, each in its way; operations may change that.
        for (client, line) in [
            (0, "SCRIPT FLUSH"),
            (0, "FLUSHALL"),
            (0, "HELLO 3"),
            (0, "CLIENT TRACKING ON NOLOOP"),
            (1, "HELLO 3"),
            (1, "CLIENT TRACKING ON"),
        ] {
            pair.step(client, &words(line)).expect("the same answer");
        }
        pair
    }

    /// From now on time passes in `memory`, too: the order of what happens shows in times that servers keep.
    pub(crate) fn let_time_pass(&mut self) {
        self.passes = true;
    }

    fn now(&self) -> tenure_core::Instant {
        if self.passes {
            NOW + self.began.elapsed()
        } else {
            NOW
        }
    }

    /// Sends a command and compares all that all clients get.
    pub(crate) fn step(&mut self, client: usize, words: &Words) -> Result<(), String> {
        if self.passes {
            // What happens in two steps never happens in one millisecond, on neither of the two clocks.
            std::thread::sleep(Duration::from_millis(1));
        }
        let began = self.began;
        let (real, memory) = (self.ask_real(client, words), self.ask_memory(client, words));
        let passed = began.elapsed();
        for each in 0..CLIENTS {
            let own = each == client;
            let (mut real, mut memory) = (real[each].clone(), memory[each].clone());
            if own && words[0] == UNREGISTERED.as_bytes() {
                // The rest is compared as if that had not been sent.
                let first = [&mut real, &mut memory].map(|reply| {
                    let end = reply.windows(2).position(|bytes| bytes == b"\r\n");
                    let rest = reply.split_off(end.expect("a line") + 2);
                    std::mem::replace(reply, rest)[0]
                });
                assert_eq!(first[0], first[1], "{words:?}");
            }
            if own && same_remaining(&real, &memory, words, passed) {
                continue;
            }
            // The clocks differ by less than all that has passed.
            if own && self.passes && same_but_time(&real, &memory, passed) {
                continue;
            }
            if own {
                real = self.plain(&real, words);
                memory = self.plain(&memory, words);
            }
            if real != memory {
                return Err(format!(
                    "{:?}, client {client} sends {:?}, client {each} gets\n  really {:?}\n  memory {:?}",
                    self.kind,
                    words.iter().map(|word| shown(word)).collect::<Vec<_>>(),
                    shown(&real),
                    shown(&memory),
                ));
            }
        }
        Ok(())
    }

    /// Waits until a key has expired on the real server; time passes in `memory` too. Compares what clients get.
    pub(crate) fn expire(&mut self, client: usize, key: &[u8]) -> Result<(), String> {
        let exists = encode(&[&b"EXISTS"[..], key]);
        loop {
            self.steps += 1;
            let marker = format!("step {}", self.steps).into_bytes();
            self.real[client].write_all(&exists).expect("sent");
            let reply = read_to_marker(&mut self.real[client], &marker);
            if reply == b":0\r\n" {
                break;
            }
            assert_eq!(reply, b":1\r\n");
        }
        self.memory.handle_timeout(NOW + Duration::from_secs(60));
        self.step(client, &vec![b"PING".to_vec()])
    }

    /// Exchanges two databases on both servers. `memory` has no command for that.
    pub(crate) fn swap_databases(&mut self) -> Result<(), String> {
        let replies = self.ask_real(CLIENTS - 1, &words("SWAPDB 0 1"));
        let mut expected = vec![Vec::new(); CLIENTS];
        expected[CLIENTS - 1] = b"+OK\r\n".to_vec();
        if replies != expected {
            return Err(format!("{:?} answers {replies:?}", self.kind));
        }
        self.memory.swap_databases(0, 1);
        Ok(())
    }

    fn ask_real(&mut self, client: usize, words: &Words) -> Vec<Vec<u8>> {
        self.steps += 1;
        let marker = format!("step {}", self.steps).into_bytes();
        let mut replies = vec![Vec::new(); CLIENTS];
        self.real[client].write_all(&bytes(words)).expect("sent");
        replies[client] = read_to_marker(&mut self.real[client], &marker);
        // Notifications for others were written before they request the marker.
        for (each, reply) in replies.iter_mut().enumerate() {
            if each != client {
                *reply = read_to_marker(&mut self.real[each], &marker);
            }
        }
        replies
    }

    fn ask_memory(&mut self, client: usize, words: &Words) -> Vec<Vec<u8>> {
        let now = self.now();
        self.memory
            .handle_input(self.conns[client], &bytes(words), now);
        let replies = self.replies_of_memory(words);
        // What a real server gets after each command.
        let echo = encode(&[&b"ECHO"[..], b"marker"]);
        self.memory.handle_input(self.conns[client], &echo, now);
        self.replies_of_memory(words);
        replies
    }

    fn replies_of_memory(&mut self, words: &Words) -> Vec<Vec<u8>> {
        let mut replies = vec![Vec::new(); CLIENTS];
        loop {
            match self.memory.poll_output() {
                Output::Transmit { conn, bytes } => {
                    let each = self
                        .conns
                        .iter()
                        .position(|each| *each == conn)
                        .expect("one of ours");
                    replies[each].extend_from_slice(bytes);
                }
                Output::Disconnect(conn) => panic!("{conn:?} is closed after {words:?}"),
                Output::Timeout(_) => return replies,
            }
        }
    }

    /// Takes out of a reply what may differ; the list is here and in `same_remaining`.
    fn plain(&self, reply: &[u8], words: &Words) -> Vec<u8> {
        let word = |index: usize| words.get(index).map(|word| word.to_ascii_uppercase());
        let prefixed = words
            .first()
            .is_some_and(|word| word == UNREGISTERED.as_bytes());
        let command = word(usize::from(prefixed)).unwrap_or_default();
        match reply.first() {
            // The server's name, its version and its number for the client.
            Some(b'%' | b'*') if command == b"HELLO" => reply[..3].to_vec(),
            Some(b':') if command == b"CLIENT" => b":".to_vec(),
            Some(b'-') => {
                let end = reply.windows(2).position(|bytes| bytes == b"\r\n");
                let (error, pushes) = reply.split_at(end.unwrap_or(reply.len()));
                [self.plain_error(error, &command), pushes.to_vec()].concat()
            }
            _ => reply.to_vec(),
        }
    }

    /// Redis 7 names the line of a script; other servers word their errors differently, and Redis 6.2 those in a script.
    fn plain_error(&self, error: &[u8], command: &[u8]) -> Vec<u8> {
        match self.kind {
            Kind::Redis7 => until(error, b", on @user_script"),
            Kind::Redis62 if command.starts_with(b"EVAL") => b"-".to_vec(),
            Kind::Redis62 | Kind::Redis8 | Kind::Valkey9 => until(error, b" "),
        }
    }
}

/// `PTTL` and `TTL`: time passes on the real server only.
fn same_remaining(real: &[u8], memory: &[u8], words: &Words, passed: Duration) -> bool {
    let unit = match words[0].to_ascii_uppercase().as_slice() {
        b"PTTL" => 1,
        b"TTL" => 1000,
        _ => return false,
    };
    let number = |reply: &[u8]| -> Option<i128> {
        let text = std::str::from_utf8(reply).ok()?;
        text.strip_prefix(':')?.strip_suffix("\r\n")?.parse().ok()
    };
    let (Some(real), Some(memory)) = (number(real), number(memory)) else {
        return false;
    };
    let most = i128::try_from(passed.as_millis()).expect("a short time") / unit + 1;
    real >= 0 && memory >= 0 && (0..=most).contains(&(memory - real))
}

/// Two denials by a script of a mode, or two times, which differ by the time that has passed at most.
fn same_but_time(real: &[u8], memory: &[u8], passed: Duration) -> bool {
    let lines = |reply: &[u8]| -> Vec<String> {
        let text = String::from_utf8_lossy(reply);
        text.split("\r\n").map(str::to_owned).collect()
    };
    let (real, memory) = (lines(real), lines(memory));
    let most = i128::try_from(passed.as_millis()).expect("a short time") + 1;
    let number = |line: &str| -> Option<i128> { line.strip_prefix(':')?.parse().ok() };
    // Notifications may follow. A status has several times.
    let time_at = |at: usize| match &*real[0] {
        "*3" => at == 2,
        "*6" => true,
        _ => at == 0,
    };
    real.len() == memory.len()
        && real.iter().zip(&memory).enumerate().all(|(at, (a, b))| {
            let times = number(a).zip(number(b)).filter(|_| time_at(at));
            a == b || times.is_some_and(|(a, b)| a.min(b) > 1000 && (a - b).abs() <= most)
        })
}

fn until(reply: &[u8], end: &[u8]) -> Vec<u8> {
    let found = reply.windows(end.len()).position(|window| window == end);
    reply[..found.unwrap_or(reply.len())]
        .trim_ascii_end()
        .to_vec()
}

/// All that comes up to the reply to an `ECHO`, which is sent now.
fn read_to_marker(stream: &mut TcpStream, marker: &[u8]) -> Vec<u8> {
    stream
        .write_all(&encode(&[&b"ECHO"[..], marker]))
        .expect("sent");
    let mut end = format!("${}\r\n", marker.len()).into_bytes();
    end.extend_from_slice(marker);
    end.extend_from_slice(b"\r\n");
    let mut all = Vec::new();
    let mut chunk = [0; 4096];
    while !all.ends_with(&end) {
        let read = stream.read(&mut chunk).expect("a reply");
        assert_ne!(read, 0, "closed after {:?}", shown(&all));
        all.extend_from_slice(&chunk[..read]);
    }
    all.truncate(all.len() - end.len());
    all
}

fn shown(bytes: &[u8]) -> String {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]);
    start.into_owned()
}
