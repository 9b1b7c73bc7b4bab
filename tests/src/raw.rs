//! A small blocking client that shares no code with Tenure, to observe a server independently.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test that meets an unexpected value fails, whichever it is"
)]

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use resp_rs::ParseError;
use resp_rs::resp3::{Frame, parse_frame};

use crate::tls;

/// How long a read or write may take: far longer than any answer, so that passing it means a hang.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// What a server said.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `+`: a status line.
    Simple(String),
    /// `-` or `!`: an error with its code in front.
    Error(String),
    /// `:`: an integer.
    Int(i64),
    /// `$` or `=`: bytes.
    Bulk(Vec<u8>),
    /// `_`, `$-1` or `*-1`: nothing.
    Null,
    /// `*`: a list.
    Array(Vec<Self>),
    /// `>`: a message that answers no command.
    Push(Vec<Self>),
    /// `%`: pairs, in the server's order.
    Map(Vec<(Self, Self)>),
    /// `~`: a set, in the server's order.
    Set(Vec<Self>),
    /// `,`: a floating-point number.
    Double(f64),
    /// `#`: a truth value.
    Bool(bool),
    /// `(`: an integer of any length, as its digits.
    Big(String),
}

impl Value {
    /// The `+OK` of most commands.
    pub fn ok() -> Self {
        Self::Simple("OK".to_owned())
    }

    /// A bulk string.
    pub fn bulk(bytes: impl AsRef<[u8]>) -> Self {
        Self::Bulk(bytes.as_ref().to_vec())
    }

    /// Whether this is an error whose line starts with `code`.
    pub fn is_error(&self, code: &str) -> bool {
        matches!(self, Self::Error(line) if line.starts_with(code))
    }

    /// The number of an integer reply.
    ///
    /// # Panics
    /// If it is something else.
    #[track_caller]
    pub fn int(&self) -> i64 {
        match self {
            Self::Int(number) => *number,
            other => panic!("not an integer: {other:?}"),
        }
    }

    /// The text of a status, error or bulk reply, with what is not UTF-8 replaced.
    ///
    /// # Panics
    /// If it is something else.
    #[track_caller]
    pub fn text(&self) -> String {
        match self {
            Self::Simple(text) | Self::Error(text) => text.clone(),
            Self::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => panic!("not a text: {other:?}"),
        }
    }
}

impl From<Frame> for Value {
    fn from(frame: Frame) -> Self {
        let text = |bytes: Bytes| String::from_utf8_lossy(&bytes).into_owned();
        let list = |frames: Vec<Frame>| frames.into_iter().map(Self::from).collect();
        match frame {
            Frame::SimpleString(line) => Self::Simple(text(line)),
            Frame::Error(line) | Frame::BlobError(line) => Self::Error(text(line)),
            Frame::Integer(number) => Self::Int(number),
            Frame::BulkString(Some(bytes)) => Self::Bulk(bytes.to_vec()),
            // The first four bytes name its format, as in `txt:`.
            Frame::VerbatimString { payload } => {
                Self::Bulk(payload.get(4..).unwrap_or_default().to_vec())
            }
            Frame::BulkString(None) | Frame::Array(None) | Frame::Null => Self::Null,
            Frame::Array(Some(items)) => Self::Array(list(items)),
            Frame::Push(items) => Self::Push(list(items)),
            Frame::Set(items) => Self::Set(list(items)),
            Frame::Map(pairs) => Self::Map(
                pairs
                    .into_iter()
                    .map(|(k, v)| (k.into(), v.into()))
                    .collect(),
            ),
            Frame::Double(number) => Self::Double(number),
            Frame::SpecialFloat(word) => Self::Double(text(word).parse().unwrap_or(f64::NAN)),
            Frame::Boolean(truth) => Self::Bool(truth),
            Frame::BigNumber(digits) => Self::Big(text(digits)),
            other => panic!("no server sends this: {other:?}"),
        }
    }
}

/// Bytes in both directions: TCP, a Unix socket, or TLS.
trait Wire: Read + Write + Send {
    fn limit_reads(&self, to: Duration) -> io::Result<()>;
}

impl Wire for TcpStream {
    fn limit_reads(&self, to: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(to))
    }
}

impl Wire for UnixStream {
    fn limit_reads(&self, to: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(to))
    }
}

impl Wire for tls::Stream {
    fn limit_reads(&self, to: Duration) -> io::Result<()> {
        self.sock.set_read_timeout(Some(to))
    }
}

/// One connection. Its methods panic when the connection fails or hangs, except those that return a `Result`.
pub struct Raw {
    wire: Box<dyn Wire>,
    pending: BytesMut,
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Raw").finish_non_exhaustive()
    }
}

impl Raw {
    /// Connects to a TCP port of 127.0.0.1.
    ///
    /// # Panics
    /// If nobody listens there.
    #[track_caller]
    pub fn tcp(port: u16) -> Self {
        Self::try_tcp(port).unwrap_or_else(|error| panic!("no connection to port {port}: {error}"))
    }

    /// Connects to a TCP port of 127.0.0.1.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn try_tcp(port: u16) -> io::Result<Self> {
        Ok(Self::over(tcp(port)?))
    }

    /// Connects to a TCP port of 127.0.0.1 with TLS, and verifies the server as `localhost` against `ca_pem`.
    ///
    /// # Errors
    /// Those of the connection, the certificate and the handshake.
    pub fn try_tls(port: u16, ca_pem: &str) -> io::Result<Self> {
        Ok(Self::over(tls::client(tcp(port)?, ca_pem)?))
    }

    /// Connects to a Unix socket.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn try_unix(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(Self::over(stream))
    }

    fn over(wire: impl Wire + 'static) -> Self {
        Self {
            wire: Box::new(wire),
            pending: BytesMut::new(),
        }
    }

    /// Lets a read take this long instead of [`TIMEOUT`], where silence is what a test expects.
    pub fn timeout(&self, limit: Duration) {
        let set = self.wire.limit_reads(limit);
        set.expect("a limit above zero");
    }

    /// Takes the bytes that have been read and are not a whole value.
    pub fn unread(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.pending).to_vec()
    }

    /// Sends a command and returns the next value, whatever it is.
    #[track_caller]
    pub fn command<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Value {
        self.send(arguments);
        self.read_value()
    }

    /// Sends a command and returns the next value, whatever it is.
    ///
    /// # Errors
    /// Those of writing, and of [`try_read_value`](Self::try_read_value).
    pub fn try_command<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> io::Result<Value> {
        self.wire.write_all(&encode(arguments))?;
        self.wire.flush()?;
        self.try_read_value()
    }

    /// Sends a command and does not wait for an answer.
    #[track_caller]
    pub fn send<A: AsRef<[u8]>>(&mut self, arguments: &[A]) {
        self.send_bytes(&encode(arguments));
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.wire
            .write_all(bytes)
            .and_then(|()| self.wire.flush())
            .unwrap_or_else(|error| panic!("cannot send: {error}"));
    }

    /// Waits for the next value.
    #[track_caller]
    pub fn read_value(&mut self) -> Value {
        self.try_read_value()
            .unwrap_or_else(|error| panic!("no reply: {error}"))
    }

    /// Waits for the next value.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] at the end of the connection, [`io::ErrorKind::WouldBlock`] or
    /// [`io::ErrorKind::TimedOut`] after [`TIMEOUT`], [`io::ErrorKind::InvalidData`] if it is not RESP.
    pub fn try_read_value(&mut self) -> io::Result<Value> {
        let mut chunk = [0; 4096];
        loop {
            match parse_frame(Bytes::copy_from_slice(&self.pending)) {
                Ok((frame, rest)) => {
                    self.pending = BytesMut::from(rest);
                    return Ok(frame.into());
                }
                Err(ParseError::Incomplete) => {}
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            }
            match self.wire.read(&mut chunk)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => self.pending.extend_from_slice(&chunk[..n]),
            }
        }
    }
}

fn tcp(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

/// A command as it goes over the wire.
pub fn encode<A: AsRef<[u8]>>(arguments: &[A]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments.iter().map(AsRef::as_ref) {
        bytes.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        bytes.extend_from_slice(argument);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}
