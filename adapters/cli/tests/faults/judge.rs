//! What must be so after a round.

use std::time::Duration;

use crate::plan::{Fault, Plan};
use crate::round::Record;

#[derive(Default, Debug)]
pub(crate) struct Verdict {
    /// What was not so.
    pub(crate) broken: Vec<String>,
    /// Whether the job was ended by what happened.
    pub(crate) ended: bool,
    /// Whether nothing was promised for the command, or the machine was too busy.
    pub(crate) excused: bool,
}

/// On a machine on which processes wait for this long nothing is in time: to find and kill everything takes several turns of a
/// processor, and 125 ms lie between that and the end of the lease.
const BUSY: Duration = Duration::from_millis(50);

pub(crate) fn judge(plan: &Plan, record: &Record) -> Verdict {
    let mut verdict = Verdict {
        ended: !record.was_left_alone,
        excused: plan.is_excused() || record.stall > BUSY,
        broken: Vec::new(),
    };
    let mut must = |is_so: bool, words: String| {
        if !is_so {
            verdict.broken.push(words);
        }
    };
    if !verdict.excused {
        let first = record.ledger.iter().position(|beat| beat.job == "B");
        let late = first.map_or(0, |first| {
            let behind = record.ledger.iter().skip(first);
            behind.filter(|beat| beat.job == "A").count()
        });
        let begun_at = first.map(|first| record.ledger[first].at);
        let is_by_hand = record.deleted_at.is_some_and(|at| begun_at >= Some(at));
        must(
            late == 0 || is_by_hand,
            format!("two jobs at once: A wrote {late} times after B had begun"),
        );
        let last = record.ledger.iter().rfind(|beat| beat.job == "A");
        // The latest end of a lease that was granted before.
        let end = record
            .cut_at
            .map(|at| at + Plan::TTL.as_secs_f64() * 0.99 - 0.002);
        if let (Some(last), Some(end)) = (last, end) {
            let late = last.at - end;
            must(
                late <= 0.0,
                format!("A wrote {late:.3} s after the end of its lease"),
            );
        }
        must(
            record.left == 0,
            format!("{} processes are left", record.left),
        );
    }
    must(
        plan.is_harmful() || record.was_left_alone || record.stall > BUSY,
        "a healthy job was ended".to_owned(),
    );
    if let Some(status) = record.status {
        must(
            status == 70,
            format!("the status is {status}, and the lock was lost"),
        );
    }
    let is_killed = plan.has(|fault| fault == Fault::KillServer);
    // It may be deleted under the next one.
    let is_deleted = plan.has(|fault| fault == Fault::DeleteKey);
    must(
        is_killed || record.next == Some(0) || (is_deleted && record.next == Some(70)),
        format!("who waits does not get the lock: {:?}", record.next),
    );
    verdict
}
