//! Which processes descend from this one. A process can leave its group but not its ancestors.

use nix::unistd::Pid;

/// A living process.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Process {
    pub(crate) pid: Pid,
    pub(crate) parent: Pid,
    pub(crate) group: Pid,
}

/// From now on a descendant whose parent ends becomes a child of this process, where the system can do that.
pub(crate) fn adopt() {
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_child_subreaper(true);
}

/// All that descends from this process and has not ended. Empty where the system does not tell (no `/proc`).
pub(crate) fn descendants() -> Vec<Process> {
    let mut rest = processes();
    let mut found: Vec<Process> = Vec::new();
    let mut ancestors = vec![Pid::this()];
    while let Some(ancestor) = ancestors.pop() {
        rest.retain(|process| {
            let is_child = process.parent == ancestor;
            if is_child {
                ancestors.push(process.pid);
                found.push(*process);
            }
            !is_child
        });
    }
    found
}

fn processes() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| {
            entry
                .file_name()
                .as_encoded_bytes()
                .iter()
                .all(u8::is_ascii_digit)
        })
        .filter_map(|entry| std::fs::read(entry.path().join("stat")).ok())
        .filter_map(|stat| Process::parse(&String::from_utf8_lossy(&stat)))
        .collect()
}

impl Process {
    /// Reads `PID (NAME) STATE PARENT GROUP …`. `None` for one that has ended and waits to be collected.
    fn parse(stat: &str) -> Option<Self> {
        // The name is the program's choice, brackets and blanks included.
        let (pid, rest) = stat.split_once(" (")?;
        let (_, rest) = rest.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        if matches!(fields.next()?, "Z" | "X") {
            return None;
        }
        let mut number = || fields.next()?.parse().ok().map(Pid::from_raw);
        Some(Self {
            pid: Pid::from_raw(pid.parse().ok()?),
            parent: number()?,
            group: number()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let process = Process::parse("12 (a) Z 1 (b) S 7 9 9 0 -1").unwrap();
        assert_eq!(process.pid, Pid::from_raw(12));
        assert_eq!(process.parent, Pid::from_raw(7));
        assert_eq!(process.group, Pid::from_raw(9));
        assert_eq!(Process::parse("12 (a) Z 7 9 9 0 -1"), None);
        assert_eq!(Process::parse(""), None);
    }
}
