//! Which processes belong to a run: a process can leave its group and its session, but neither its ancestors nor, unless
//! it wants to, its environment.

use std::collections::BTreeSet;

/// A variable in the environment of everything that a run starts. A run within a run appends its own mark.
pub(crate) const MARK: &str = "TENURE_RUN";

/// A living process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    /// When it was started, in ticks since the machine was. Together with its number it names one process only.
    pub(crate) started: u64,
    pub(crate) name: String,
}

impl Process {
    /// What is said of a process that may not be sent a signal.
    pub(crate) fn refusal(&self) -> String {
        format!(
            "process {} ({}) belongs to another user and cannot be ended with the lock\nStart tenure as that user, such as with `sudo tenure run ...`.",
            self.pid,
            self.name.escape_debug(),
        )
    }
}

/// From now on a descendant whose parent ends becomes a child of this process, where the system can do that.
pub(crate) fn adopt() {
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_child_subreaper(true);
}

/// The mark of a run of this process: no other one has the same number and time.
pub(crate) fn mark() -> String {
    let own = format!("{}.{}", std::process::id(), crate::clock::now().as_nanos());
    match std::env::var(MARK) {
        Ok(outer) => format!("{outer}:{own}"),
        Err(_) => own,
    }
}

/// All living processes; `None` where the system does not list them (no `/proc`).
pub(crate) fn processes() -> Option<Vec<Process>> {
    let entries = std::fs::read_dir("/proc").ok()?;
    let processes: Vec<Process> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(process)
        .collect();
    // This one is there, if any is.
    (!processes.is_empty()).then_some(processes)
}

/// All descendants of a process, which costs less than to list all processes; `None` where the system has no list of
/// children.
pub(crate) fn below(root: i32) -> Option<Vec<Process>> {
    let mut found = Vec::new();
    let mut rest = children(root)?;
    while let Some(child) = rest.pop() {
        found.extend(process(child));
        // One that is gone by now has handed its children on.
        rest.extend(children(child).unwrap_or_default());
    }
    Some(found)
}

/// The same from the list of all processes: `below` may leave some out while a child ends.
pub(crate) fn all_below(root: i32) -> Option<Vec<Process>> {
    let (mut all, mut found) = (processes()?, Vec::new());
    take(&mut all, &mut found, |process| process.parent == root);
    Some(found)
}

/// The children of all threads of a process.
fn children(pid: i32) -> Option<Vec<i32>> {
    let mut children = Vec::new();
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))
        .ok()?
        .flatten()
    {
        let text = std::fs::read_to_string(thread.path().join("children")).ok()?;
        children.extend(text.split(' ').filter_map(|pid| pid.parse::<i32>().ok()));
    }
    Some(children)
}

/// One living process.
pub(crate) fn process(pid: i32) -> Option<Process> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    Process::parse(&String::from_utf8_lossy(&stat))
}

/// Whether the number still means the same process.
pub(crate) fn is_there(known: &Process) -> bool {
    process(known.pid).is_some_and(|now| now.started == known.started)
}

/// The processes of `all` that belong to the run: those that `is_root` names, those with the mark, and the descendants of
/// either. The mark is only read of processes that were started at `since` or later.
pub(crate) fn of_run(
    mut all: Vec<Process>,
    mark: &str,
    since: u64,
    is_root: impl Fn(&Process) -> bool,
) -> Vec<Process> {
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    all.retain(|process| process.pid != own);
    let mut found = Vec::new();
    take(&mut all, &mut found, is_root);
    take(&mut all, &mut found, |process| {
        process.started >= since && has_mark(process.pid, mark)
    });
    found
}

/// Moves what `is_root` says from `rest` to `found`, and all that descends from what is there.
fn take(rest: &mut Vec<Process>, found: &mut Vec<Process>, is_root: impl Fn(&Process) -> bool) {
    found.extend(rest.extract_if(.., |process| is_root(process)));
    loop {
        let parents: BTreeSet<i32> = found.iter().map(|process| process.pid).collect();
        let before = found.len();
        found.extend(rest.extract_if(.., |process| parents.contains(&process.parent)));
        if found.len() == before {
            return;
        }
    }
}

/// Whether a process was started with the mark. `false` for those whose environment may not be read.
fn has_mark(pid: i32, mark: &str) -> bool {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment
        .split(|byte| *byte == 0)
        .filter_map(|entry| entry.strip_prefix(MARK.as_bytes())?.strip_prefix(b"="))
        .any(|marks| marks == mark.as_bytes() || begins_with(marks, mark))
}

/// Whether the marks begin with this one: more marks belong to runs within the run.
fn begins_with(marks: &[u8], mark: &str) -> bool {
    let inner = marks.strip_prefix(mark.as_bytes());
    inner.is_some_and(|inner| inner.starts_with(b":"))
}

impl Process {
    /// Reads `PID (NAME) STATE PARENT GROUP …`. `None` for one that has ended and waits to be collected.
    fn parse(stat: &str) -> Option<Self> {
        // The name is the program's choice, brackets and blanks included.
        let (pid, rest) = stat.split_once(" (")?;
        let (name, rest) = rest.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        // A process whose first thread has ended while others run looks as if it had ended, too.
        let is_over = matches!(*fields.first()?, "Z" | "X") && number(17)? <= 1;
        (!is_over).then_some(Self {
            pid: pid.parse().ok()?,
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            started: number(19)?,
            name: name.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(state: &str, threads: u32) -> String {
        format!("12 (a) Z 1 (b) {state} 7 9 9 0 -1 4 0 0 0 0 0 0 0 0 20 0 {threads} 0 555 0 0")
    }

    #[test]
    fn a_name_may_hold_anything() {
        let process = Process::parse(&stat("S", 1)).unwrap();
        assert_eq!((process.pid, process.parent, process.group), (12, 7, 9));
        assert_eq!((process.started, process.name.as_str()), (555, "a) Z 1 (b"));
        assert_eq!(Process::parse(""), None);
    }

    #[test]
    fn a_process_whose_first_thread_has_ended_is_not_dead() {
        assert!(Process::parse(&stat("Z", 2)).is_some());
        assert_eq!(Process::parse(&stat("Z", 1)), None);
    }

    #[test]
    fn descendants_are_found_in_any_order() {
        let process = |pid, parent| Process {
            pid,
            parent,
            group: pid,
            started: 0,
            name: String::new(),
        };
        // The numbers of no processes, so that none of them has a mark.
        let (a, b, c, d) = (1 << 30, (1 << 30) + 1, (1 << 30) + 2, (1 << 30) + 3);
        let all = vec![process(c, b), process(b, a), process(a, 1), process(d, 1)];
        let found = of_run(all, "mark", 0, |process| process.pid == a);
        let mut pids: Vec<i32> = found.iter().map(|process| process.pid).collect();
        pids.sort_unstable();
        assert_eq!(pids, [a, b, c]);
    }

    #[test]
    fn a_run_within_a_run_carries_both_marks() {
        assert!(begins_with(b"1.2:3.4", "1.2"));
        assert!(!begins_with(b"1.23:3.4", "1.2"));
        assert!(!begins_with(b"3.4:1.2", "1.2"));
    }
}
