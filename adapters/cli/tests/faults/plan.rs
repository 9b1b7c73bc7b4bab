//! What happens in a round, drawn from its number.

use std::time::Duration;

use tenure_core::Rng;

/// The processes of the job under the lock. Each writes into the ledger.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Tree {
    /// One process that ends when it is asked to.
    Polite,
    /// One that does not.
    Stubborn,
    /// A child in the background of the same group.
    Child,
    /// A daemon: another session, and no parent.
    Daemon,
    /// A job of a shell with job control: another group.
    Group,
    /// Ever new daemons that live for a moment.
    Spawner,
    /// A daemon that was stopped, and writes when it goes on.
    Stopped,
    /// A run within the run.
    Inner,
    /// A daemon without an environment: nothing shows whose it is once its ancestors are gone.
    Nameless,
}

impl Tree {
    const ALL: [Self; 9] = [
        Self::Polite,
        Self::Stubborn,
        Self::Child,
        Self::Daemon,
        Self::Group,
        Self::Spawner,
        Self::Stopped,
        Self::Inner,
        Self::Nameless,
    ];

    /// As a shell script, with `$BEAT` for a process that writes. It ends with a stubborn one.
    pub(crate) fn script(self) -> &'static str {
        match self {
            Self::Polite => "exec $BEAT",
            Self::Stubborn => "trap '' TERM; exec $BEAT",
            Self::Child => "trap '' TERM; $BEAT & exec $BEAT",
            Self::Daemon => "trap '' TERM; (setsid $BEAT &); exec $BEAT",
            Self::Group => "trap '' TERM; OWN_GROUP=1 $BEAT & exec $BEAT",
            Self::Spawner => "trap '' TERM; while :; do (setsid $BEAT 8 &); sleep 0.02; done",
            Self::Stopped => {
                "(setsid sh -c 'kill -STOP $$; exec $BEAT' &); trap '' TERM; exec $BEAT"
            }
            Self::Inner => "exec $TENURE run --ttl 1h inner -- sh -c 'trap \"\" TERM; exec $BEAT'",
            Self::Nameless => "trap '' TERM; (env -i setsid $BEAT &); exec $BEAT",
        }
    }
}

/// Something that happens to a process, and how long it lasts.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    KillTenure,
    KillWatchdog,
    KillBoth,
    KillServer,
    StopTenure(Duration),
    StopWatchdog(Duration),
    StopBoth(Duration),
    StopServer(Duration),
    /// By hand, as by an administrator.
    DeleteKey,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) tree: Tree,
    /// Each with the time before it.
    pub(crate) faults: Vec<(Duration, Fault)>,
    /// Whether nobody reads what tenure says.
    pub(crate) is_unread: bool,
}

impl Plan {
    pub(crate) const TTL: Duration = Duration::from_secs(2);
    /// A stop that ends no command: with a renewal before it, a third of the ttl, it is far from the end of the lease.
    pub(crate) const HARMLESS: Duration = Duration::from_millis(400);

    pub(crate) fn of(seed: u64) -> Self {
        let mut chance = Chance(Rng::new(
            seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15),
        ));
        let count = 1 + chance.below(3);
        let faults = (0..count).map(|_| (chance.time(900), Fault::of(&mut chance)));
        let faults = faults.collect();
        Self {
            seed,
            tree: Tree::ALL[chance.below(Tree::ALL.len())],
            faults,
            is_unread: chance.below(2) == 0,
        }
    }

    pub(crate) fn has(&self, is: impl Fn(Fault) -> bool) -> bool {
        self.faults.iter().any(|(_, fault)| is(*fault))
    }

    /// Whether the command may have to be ended.
    pub(crate) fn is_harmful(&self) -> bool {
        self.has(|fault| match fault {
            Fault::KillWatchdog | Fault::StopWatchdog(_) => false,
            Fault::StopTenure(time) | Fault::StopBoth(time) | Fault::StopServer(time) => {
                time > Self::HARMLESS
            }
            Fault::KillTenure | Fault::KillBoth | Fault::KillServer | Fault::DeleteKey => true,
        })
    }

    /// Whether nothing is promised: neither process is there in time, or the key was deleted, or nobody can know whose a
    /// process is.
    pub(crate) fn is_excused(&self) -> bool {
        let (mut tenure, mut watchdog) = (true, true);
        for (_, fault) in &self.faults {
            match fault {
                Fault::KillTenure => tenure = false,
                Fault::KillWatchdog => watchdog = false,
                Fault::KillBoth | Fault::DeleteKey => return true,
                Fault::StopBoth(time) if *time > Self::HARMLESS => return true,
                Fault::StopTenure(time) if *time > Self::HARMLESS && !watchdog => return true,
                Fault::StopWatchdog(_) if !tenure => return true,
                Fault::StopTenure(_)
                | Fault::StopWatchdog(_)
                | Fault::StopBoth(_)
                | Fault::StopServer(_)
                | Fault::KillServer => {}
            }
        }
        // The watchdog finds a nameless one only while tenure is there.
        !tenure && (!watchdog || self.tree == Tree::Nameless)
    }
}

impl Fault {
    fn of(chance: &mut Chance) -> Self {
        let kind = chance.below(27);
        // Half of the stops are short.
        let time = chance.time(400) + chance.time(2600) * u32::from(chance.below(2) == 0);
        match kind {
            0..5 => Self::KillTenure,
            5..8 => Self::KillWatchdog,
            8..11 => Self::KillServer,
            11..16 => Self::StopTenure(time),
            16..19 => Self::StopWatchdog(time),
            19..24 => Self::StopServer(time),
            24 => Self::StopBoth(time),
            25 => Self::KillBoth,
            _ => Self::DeleteKey,
        }
    }
}

/// Draws that repeat.
struct Chance(Rng);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        let bits = usize::try_from(self.0.next_u64() >> 33).unwrap_or(0);
        bits % end
    }

    fn time(&mut self, most: usize) -> Duration {
        Duration::from_millis(self.below(most + 1) as u64)
    }
}
