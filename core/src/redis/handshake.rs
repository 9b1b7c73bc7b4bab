//! The first words on a connection: who we are, which protocol, which database, and what the server can do.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::config::{Config, NodeConfig, Secret};
use crate::event::NodeError;
use crate::id::NodeId;
use crate::redis::capability::Capability;
use crate::redis::error::ServerError;
#[cfg(feature = "acks")]
use crate::redis::exchange::{refusal, write_wait};
use crate::redis::resp::{Item, Reply, command};
use crate::redis::script::{Script, prove};

/// Two trips: `HELLO 3` with the password first (or `AUTH`, where `HELLO` is refused or not wanted), then all the rest at
/// once.
#[derive(Debug)]
pub(crate) struct Handshake {
    node: NodeConfig,
    client_name: Box<str>,
    /// What a server must be able to wait for.
    #[cfg(feature = "acks")]
    acks: Option<crate::Acks>,
    step: Step,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Step {
    Hello,
    Auth,
    /// An answer that does not matter.
    Courtesy {
        left: u8,
    },
    Select,
    Tracking,
    Commands,
    /// Which requests can be served without scripts is to be known before anything is obtained.
    Proof,
    /// Whether it waits for replicas, too.
    #[cfg(feature = "acks")]
    Acks,
    Prepare {
        left: u8,
    },
}

pub(crate) enum Greeting {
    Continue,
    Done,
    Refused(NodeError),
}

/// `CLIENT SETNAME`, `SETINFO LIB-NAME`, `SETINFO LIB-VER`.
const COURTESIES: u8 = 3;

impl Handshake {
    pub(crate) fn new(config: &Config, node: NodeId) -> Self {
        let settings = config
            .nodes()
            .get(node.index())
            .cloned()
            .unwrap_or_default();
        Self {
            node: settings,
            client_name: config.client_name.clone(),
            #[cfg(feature = "acks")]
            acks: config.acks,
            step: Step::Hello,
        }
    }

    /// Must never be shown.
    pub(crate) fn password(&self) -> Option<&[u8]> {
        self.node.password.as_ref().map(Secret::expose)
    }

    pub(crate) fn start(&mut self, out: &mut Vec<u8>) {
        if self.node.lent {
            self.step = Step::Commands;
            if self.node.tracking {
                self.step = Step::Tracking;
                request_tracking(out);
            }
            return self.request_commands(out);
        }
        if self.node.resp2 {
            self.authenticate(Capability::BASIC, out);
            return;
        }
        self.step = Step::Hello;
        match &self.node.password {
            None => {
                command(out, 2).arg(b"HELLO").arg(b"3");
            }
            Some(password) => {
                let user = self.node.username.as_deref().unwrap_or("default");
                command(out, 5)
                    .arg(b"HELLO")
                    .arg(b"3")
                    .arg(b"AUTH")
                    .arg(user.as_bytes())
                    .arg(password.expose());
            }
        }
    }

    pub(crate) fn receive(
        &mut self,
        reply: Reply<'_>,
        capability: &mut Capability,
        out: &mut Vec<u8>,
    ) -> Greeting {
        let error = if let Item::Error(line) = reply.item() {
            Some(ServerError::of(line))
        } else {
            None
        };
        match (self.step, error) {
            (Step::Hello, None) => {
                capability.tracking = matches!(reply.item(), Item::Map(_)) && self.node.tracking;
                capability.guess(reply);
                self.introduce(*capability, out)
            }
            // Proxies refuse it in words of their own. What is wrong besides is found out without it.
            (
                Step::Hello,
                Some(
                    ServerError::Unsupported
                    | ServerError::NoScript
                    | ServerError::WrongType
                    | ServerError::Node(NodeError::Other),
                ),
            ) => self.authenticate(*capability, out),
            (Step::Auth, None) => self.introduce(*capability, out),
            // Servers before Redis 6 have one `ERR` for all that is wrong with a password.
            (Step::Auth, Some(ServerError::Node(NodeError::Other))) => {
                Greeting::Refused(NodeError::WrongPassword)
            }
            (Step::Hello | Step::Auth, Some(error)) => Greeting::Refused(error.node()),
            (Step::Courtesy { left: 1 }, _) => self.after_courtesies(*capability),
            (Step::Courtesy { left }, _) => self.go_on(Step::Courtesy {
                left: left.saturating_sub(1),
            }),
            (Step::Select, Some(ServerError::Node(error))) if error != NodeError::Other => {
                Greeting::Refused(error)
            }
            (Step::Select, Some(_)) => Greeting::Refused(NodeError::NoDatabase),
            (Step::Select, None) => self.after_select(*capability),
            (Step::Tracking, error) => {
                capability.tracking = error.is_none();
                self.go_on(Step::Commands)
            }
            (Step::Commands, error) => {
                // Without permission for COMMAND INFO, the first use shows it.
                if error.is_none() {
                    capability.learn(reply);
                }
                self.go_on(Step::Proof)
            }
            (Step::Proof, error) => {
                capability.scripts = !error.is_some_and(forbids);
                self.after_proof(*capability)
            }
            #[cfg(feature = "acks")]
            (Step::Acks, Some(error)) => Greeting::Refused(refusal(error)),
            #[cfg(feature = "acks")]
            (Step::Acks, None) => self.prepare(),
            (Step::Prepare { left: 1 }, _) => Greeting::Done,
            (Step::Prepare { left }, _) => self.go_on(Step::Prepare {
                left: left.saturating_sub(1),
            }),
        }
    }

    fn go_on(&mut self, step: Step) -> Greeting {
        self.step = step;
        Greeting::Continue
    }

    /// No `HELLO`: then no push messages either.
    fn authenticate(&mut self, capability: Capability, out: &mut Vec<u8>) -> Greeting {
        let Some(password) = &self.node.password else {
            return self.introduce(capability, out);
        };
        match &self.node.username {
            None => command(out, 2).arg(b"AUTH").arg(password.expose()),
            Some(user) => command(out, 3)
                .arg(b"AUTH")
                .arg(user.as_bytes())
                .arg(password.expose()),
        };
        self.go_on(Step::Auth)
    }

    fn introduce(&mut self, capability: Capability, out: &mut Vec<u8>) -> Greeting {
        command(out, 3)
            .arg(b"CLIENT")
            .arg(b"SETNAME")
            .arg(self.client_name.as_bytes());
        for (name, value) in [
            ("LIB-NAME", "tenure"),
            ("LIB-VER", env!("CARGO_PKG_VERSION")),
        ] {
            command(out, 4)
                .arg(b"CLIENT")
                .arg(b"SETINFO")
                .arg(name.as_bytes())
                .arg(value.as_bytes());
        }
        if self.node.database != 0 {
            command(out, 2)
                .arg(b"SELECT")
                .number(self.node.database.into());
        }
        if capability.tracking {
            request_tracking(out);
        }
        self.request_commands(out);
        self.go_on(Step::Courtesy { left: COURTESIES })
    }

    fn after_courtesies(&mut self, capability: Capability) -> Greeting {
        if self.node.database == 0 {
            self.after_select(capability)
        } else {
            self.go_on(Step::Select)
        }
    }

    fn after_select(&mut self, capability: Capability) -> Greeting {
        self.go_on(if capability.tracking {
            Step::Tracking
        } else {
            Step::Commands
        })
    }

    fn after_proof(&mut self, capability: Capability) -> Greeting {
        if capability.is_useless() {
            return Greeting::Refused(NodeError::NoScripts);
        }
        #[cfg(feature = "acks")]
        if self.acks.is_some() {
            return self.go_on(Step::Acks);
        }
        self.prepare()
    }

    fn prepare(&mut self) -> Greeting {
        if !self.node.prepare {
            return Greeting::Done;
        }
        self.go_on(Step::Prepare {
            left: Script::ALL.len() as u8,
        })
    }

    /// What the server can do, a proof that it takes scripts, and the scripts if they are wanted ahead.
    fn request_commands(&self, out: &mut Vec<u8>) {
        command(out, 5)
            .arg(b"COMMAND")
            .arg(b"INFO")
            .arg(b"DELIFEQ")
            .arg(b"DELEX")
            .arg(b"MSETEX");
        prove(out);
        #[cfg(feature = "acks")]
        if let Some(acks) = self.acks {
            // For nothing, so that the reply comes at once.
            write_wait(out, acks.of_none(), 1);
        }
        if self.node.prepare {
            for script in Script::ALL {
                command(out, 3)
                    .arg(b"SCRIPT")
                    .arg(b"LOAD")
                    .arg(script.text().as_bytes());
            }
        }
    }
}

fn request_tracking(out: &mut Vec<u8>) {
    command(out, 4)
        .arg(b"CLIENT")
        .arg(b"TRACKING")
        .arg(b"ON")
        .arg(b"NOLOOP");
}

/// Whether this answer to the proof says that no script will be run. Any other error passes, or says nothing of those
/// that will be sent.
fn forbids(error: ServerError) -> bool {
    let node = ServerError::Node(NodeError::NoPermission);
    error == ServerError::Unsupported || error == node
}
