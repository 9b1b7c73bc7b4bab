//! `tenure serve`: the embedded server for the programs of this machine.

mod link;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tenure_core::memory::{ConnId, Options, Output, Server, User};
use tenure_core::{Instant, Secret};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use self::link::{Arrival, Link};
use crate::args::ServeArgs;
use crate::clock;
use crate::failure::{Exit, Failure, Outcome};
use crate::run::Signals;

/// How many pieces of input may wait for the server; past it the clients wait.
const WAITING_INPUTS: usize = 256;
/// How long nobody is let in after the system had no room for another connection.
const BREATH: Duration = Duration::from_millis(50);

/// Serves until a signal ends it.
pub(crate) async fn serve(args: ServeArgs) -> Outcome {
    let options = options(&args)?;
    let mut signals = Signals::listen()?;
    let cannot_listen = |error| {
        let advice = "Name another address with --listen; port 0 takes a free one.";
        Failure::new(
            Exit::Unavailable,
            format!("cannot listen on {}: {error}\n{advice}", args.listen),
        )
    };
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(cannot_listen)?;
    let address = listener.local_addr().map_err(cannot_listen)?;
    announce(address)?;
    tokio::select! {
        () = Serving::new(options).serve(&listener) => {}
        _ = signals.end() => {}
    }
    Ok(0)
}

fn announce(address: SocketAddr) -> Result<(), Failure> {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "listening on {address}")
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::system("cannot print", error))
}

/// Without a password, only clients on this machine may connect.
fn options(args: &ServeArgs) -> Result<Options, Failure> {
    let mut options = Options::default();
    match &args.password_file {
        Some(file) => options.users.push(User {
            name: Box::from(*b"default"),
            password: password(file)?,
        }),
        None if args.listen.ip().is_loopback() => {}
        None => {
            return Err(Failure::usage(format!(
                "{} can be reached from other machines: give a --password-file",
                args.listen,
            )));
        }
    }
    Ok(options)
}

fn password(file: &Path) -> Result<Secret, Failure> {
    let failed =
        |reason: String| Failure::usage(format!("--password-file {}: {reason}", file.display()));
    let text = fs::read(file).map_err(|error| failed(error.to_string()))?;
    match text.split(|byte| matches!(byte, b'\n' | b'\r')).next() {
        None | Some([]) => Err(failed("its first line is empty".to_owned())),
        Some(line) => Ok(Secret::new(line)),
    }
}

/// The server with its connections.
struct Serving {
    server: Server,
    links: BTreeMap<ConnId, Link>,
    sender: mpsc::Sender<(ConnId, Arrival)>,
    arrivals: mpsc::Receiver<(ConnId, Arrival)>,
}

impl Serving {
    fn new(options: Options) -> Self {
        let (sender, arrivals) = mpsc::channel(WAITING_INPUTS);
        Self {
            server: Server::new(options),
            links: BTreeMap::new(),
            sender,
            arrivals,
        }
    }

    async fn serve(mut self, listener: &TcpListener) {
        loop {
            let rest = self.drain();
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => self.connect(stream),
                    Err(error) => {
                        crate::output::say(&format!("cannot take a connection: {error}"));
                        tokio::time::sleep(BREATH).await;
                    }
                },
                Some((conn, arrival)) = self.arrivals.recv() => self.handle(conn, arrival),
                () = tokio::time::sleep(rest) => self.server.handle_timeout(now()),
            }
        }
    }

    fn connect(&mut self, stream: TcpStream) {
        // Answers are small, and clients wait for them.
        let _ = stream.set_nodelay(true);
        let conn = self.server.connect();
        let link = Link::new(conn, stream, self.sender.clone());
        let _ = self.links.insert(conn, link);
    }

    fn handle(&mut self, conn: ConnId, arrival: Arrival) {
        match arrival {
            Arrival::Bytes(bytes) => self.server.handle_input(conn, &bytes, now()),
            Arrival::End => {
                self.server.handle_disconnected(conn);
                let _ = self.links.remove(&conn);
            }
        }
    }

    /// Does all that the server wants done, and says how long there is nothing to do.
    fn drain(&mut self) -> Duration {
        loop {
            match self.server.poll_output() {
                Output::Transmit { conn, bytes } => {
                    let is_well = self.links.get(&conn).is_some_and(|link| link.send(bytes));
                    if !is_well {
                        // It does not read its replies.
                        self.server.handle_disconnected(conn);
                        let _ = self.links.remove(&conn);
                    }
                }
                Output::Disconnect(conn) => {
                    let _ = self.links.remove(&conn);
                }
                Output::Timeout(at) => {
                    let at = at.map(|at| at.saturating_since(now()));
                    return at.map_or(clock::LONGEST_REST, |rest| rest.min(clock::LONGEST_REST));
                }
            }
        }
    }
}

/// The server's clock goes on while the machine sleeps, as that of its clients does.
fn now() -> Instant {
    Instant::from_micros(u64::try_from(clock::now().as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(listen: &str, password_file: Option<&str>) -> ServeArgs {
        ServeArgs {
            listen: listen.parse().unwrap(),
            password_file: password_file.map(Into::into),
        }
    }

    #[test]
    fn other_machines_need_a_password() {
        assert!(options(&args("127.0.0.1:1", None)).is_ok());
        assert!(options(&args("[::1]:1", None)).is_ok());
        for listen in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1"] {
            let failure = options(&args(listen, None)).map(|_| ()).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.message.contains("--password-file"));
        }
    }

    #[test]
    fn a_password_is_the_first_line_of_its_file() {
        let file = std::env::temp_dir().join(format!("tenure-password-{}", std::process::id()));
        fs::write(&file, "secret \r\nnote\n").unwrap();
        assert_eq!(password(&file).unwrap().expose(), b"secret ");
        fs::write(&file, "\nsecret\n").unwrap();
        assert_eq!(password(&file).unwrap_err().exit, Exit::Usage);
        fs::remove_file(&file).unwrap();
        assert_eq!(password(&file).unwrap_err().exit, Exit::Usage);
    }
}
