//! Who contends with whom, and what is made of it.

use std::time::Duration;

use tenure_tests::servers::Kind;

use crate::process::Process;
use crate::site::Site;
use crate::table::Row;
use crate::worker::{Arrangement, End, Job, Report};

/// The measured values that goals are about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aim {
    /// The share of each of two processes.
    Shares,
    /// The share of each of many workers, and what a hand-off costs the server.
    Herd,
    /// How much faster many workers of one process are than one, when nobody else wants the key.
    Alone,
}

/// One process.
#[derive(Clone, Copy)]
struct Party {
    workers: usize,
    threads: usize,
    /// 0 is this machine, others are multiples of a short way.
    distance: u32,
}

impl Party {
    /// Several workers run on two threads, one on the thread of its process.
    const fn new(workers: usize, distance: u32) -> Self {
        let threads = if workers == 1 { 1 } else { 2 };
        Self {
            workers,
            threads,
            distance,
        }
    }
}

/// One line of the table.
pub(crate) struct Case {
    pub(crate) kind: Kind,
    pub(crate) in_smoke: bool,
    aim: Aim,
    arrangement: Arrangement,
    parties: Vec<Party>,
    hold: Duration,
    end: End,
}

const HOLDS: [Duration; 2] = [Duration::ZERO, Duration::from_micros(200)];
const MANY: usize = 10;

/// Everything there is to measure.
pub(crate) fn all_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for threads in [1, 2] {
        let party = Party {
            workers: MANY,
            threads,
            distance: 0,
        };
        cases.push(Case::new(Aim::Alone, Arrangement::Single, vec![party]));
    }
    for arrangement in Arrangement::ALL {
        two_processes(arrangement, &mut cases);
        one_farther_away(arrangement, &mut cases);
        for hold in HOLDS {
            let parties = vec![Party::new(1, 0); 16];
            let mut case = Case::new(Aim::Herd, arrangement, parties);
            (case.hold, case.in_smoke) = (hold, hold.is_zero());
            cases.push(case);
        }
    }
    // What differs between kinds is how one node releases.
    let single = cases
        .iter()
        .filter(|c| c.arrangement == Arrangement::Single);
    let valkey: Vec<_> = single.map(|c| c.on(Kind::Valkey9)).collect();
    cases.extend(valkey);
    cases
}

fn two_processes(arrangement: Arrangement, cases: &mut Vec<Case>) {
    for workers in [1, 2, MANY] {
        for hold in HOLDS {
            for end in [End::Release, End::Drop] {
                let parties = vec![Party::new(workers, 0), Party::new(1, 0)];
                let mut case = Case::new(Aim::Shares, arrangement, parties);
                (case.hold, case.end) = (hold, end);
                case.in_smoke = hold.is_zero() && end == End::Release;
                cases.push(case);
            }
        }
    }
}

fn one_farther_away(arrangement: Arrangement, cases: &mut Vec<Case>) {
    for (workers, distance, end) in [
        (1, 1, End::Release),
        (1, 2, End::Release),
        (1, 4, End::Release),
        (1, 8, End::Release),
        (1, 8, End::Drop),
        (MANY, 8, End::Release),
    ] {
        let parties = vec![Party::new(workers, 1), Party::new(1, distance)];
        let mut case = Case::new(Aim::Shares, arrangement, parties);
        case.end = end;
        let representative = workers == 1 && distance == 8 && end == End::Release;
        case.in_smoke = representative && arrangement == Arrangement::Single;
        cases.push(case);
    }
}

impl Case {
    const fn new(aim: Aim, arrangement: Arrangement, parties: Vec<Party>) -> Self {
        Self {
            kind: Kind::Redis7,
            in_smoke: true,
            aim,
            arrangement,
            parties,
            hold: Duration::ZERO,
            end: End::Release,
        }
    }

    /// The same on another kind of server.
    fn on(&self, kind: Kind) -> Self {
        Self {
            kind,
            in_smoke: false,
            parties: self.parties.clone(),
            ..*self
        }
    }

    pub(crate) fn name(&self) -> String {
        let who = match (self.aim, self.parties.as_slice()) {
            (Aim::Alone, [party, ..]) => {
                let threads = party.threads;
                format!("alone, {} : 1, threads {threads}", party.workers)
            }
            (Aim::Shares, [first, second, ..]) => {
                let away = match second.distance {
                    0 => String::new(),
                    distance => format!(", distance 1 : {distance}"),
                };
                format!("{} : {}{away}", first.workers, second.workers)
            }
            (_, parties) => format!("{} processes", parties.len()),
        };
        let (kind, arrangement) = (self.kind, self.arrangement.name());
        let (hold, end) = (self.hold.as_micros(), self.end.name());
        format!("{kind:?} {arrangement}, {who}, {hold} µs, {end}")
    }

    pub(crate) fn measure(&self, site: &mut Site, length: Duration) -> Row {
        let mut processes = self.start(site);
        let row = Row::new(self.name(), self.aim);
        if self.aim == Aim::Alone {
            let [first, ..] = processes.as_mut_slice() else {
                return row;
            };
            return self.measure_alone(first, length, row);
        }
        let nodes = self.arrangement.nodes();
        let before = site.commands(nodes);
        for (process, party) in processes.iter_mut().zip(&self.parties) {
            process.go(party.workers, length);
        }
        let reports: Vec<_> = processes.iter_mut().map(Process::reports).collect();
        let commands = site.commands(nodes).since(&before);
        row.with_reports(&reports, length).with_commands(commands)
    }

    fn start(&self, site: &mut Site) -> Vec<Process> {
        let key = site.fresh_key();
        let parties = self.parties.iter().map(|party| {
            Process::start(&Job {
                key: key.clone(),
                hold: self.hold,
                end: self.end,
                threads: party.threads,
                arrangement: self.arrangement,
                urls: site.urls(self.arrangement.nodes(), party.distance),
            })
        });
        let mut processes: Vec<_> = parties.collect();
        processes.iter_mut().for_each(Process::wait_until_ready);
        processes
    }

    /// Many workers and one in turns, so that what else the machine does meets both; twice the length in all.
    fn measure_alone(&self, process: &mut Process, length: Duration, row: Row) -> Row {
        const TURNS: u32 = 30;
        let turn = length / TURNS;
        let mut run = |workers| {
            process.go(workers, turn);
            process.reports()
        };
        let many = self.parties[0].workers;
        let turns: Vec<_> = (0..TURNS).map(|_| (run(many), run(1))).collect();
        row.with_turns(&turns, turn)
    }
}

/// How often all workers together had the lock.
pub(crate) fn obtained(reports: &[Report]) -> u64 {
    reports.iter().map(|report| report.obtained).sum()
}
