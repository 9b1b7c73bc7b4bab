//! When a command must be asked to end, and when it must be made to. Pure: time comes in, a step comes out.

use std::time::Duration;

/// What is to be done now.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Nothing before this time.
    Wait(Duration),
    /// Ask it to end (SIGTERM), and wait for it until this time. Returned once.
    Terminate(Duration),
    /// Make it end (SIGKILL), at once if there was no time for SIGTERM. Returned at each call from then on.
    Kill,
}

/// Ends a command before its lease does. Times are those of [`crate::clock`].
#[derive(Debug)]
pub(crate) struct Ending {
    /// How long before the end of the lease the command is asked.
    notice: Duration,
    /// How long before the end of the lease it is killed: the time in which a signal must have done its work,
    /// on a busy machine, too.
    margin: Duration,
    /// When it is killed, once it has been asked.
    kill_at: Option<Duration>,
}

impl Ending {
    pub(crate) fn new(grace: Duration) -> Self {
        Self {
            notice: grace,
            margin: (grace / 4).min(Duration::from_secs(1)),
            kill_at: None,
        }
    }

    /// The same, for the second process: it asks a little later, so that it asks only if the first one does not.
    pub(crate) fn second(grace: Duration) -> Self {
        Self {
            notice: grace - grace / 4,
            ..Self::new(grace)
        }
    }

    /// Somebody has asked the command already. It is killed at `kill_at`.
    pub(crate) fn sigterm_sent(&mut self, kill_at: Duration) {
        self.kill_at = Some(kill_at);
    }

    /// When the command is killed, once it has been asked to end.
    pub(crate) fn kill_at(&self) -> Option<Duration> {
        self.kill_at
    }

    /// The last moment at which a command may run whose lease ends then.
    pub(crate) fn last(&self, lease_end: Duration) -> Duration {
        lease_end.saturating_sub(self.margin)
    }

    /// Whether the command has got SIGTERM. There is no way back: it ends then, even if a late renewal saves the lock.
    pub(crate) fn has_begun(&self) -> bool {
        self.kill_at.is_some()
    }

    /// What to do at `now`, with a lease that ends at `lease_end`, or would have if the lock were not `lost` already.
    pub(crate) fn step(&mut self, now: Duration, lease_end: Duration, lost: bool) -> Step {
        let last = self.last(lease_end);
        if let Some(kill_at) = self.kill_at {
            return if now >= kill_at {
                Step::Kill
            } else {
                Step::Wait(kill_at)
            };
        }
        let ask_at = lease_end.saturating_sub(self.notice);
        if !lost && now < ask_at {
            return Step::Wait(ask_at);
        }
        let kill_at = last.min(now.saturating_add(self.notice));
        self.kill_at = Some(kill_at);
        // Too late to ask: what stood still would go on first, with the lock in other hands.
        if now >= last {
            return Step::Kill;
        }
        Step::Terminate(kill_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = ms(400);
    const LEASE: Duration = ms(10_000);

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_command_is_left_alone_while_its_lease_is_renewed() {
        let mut ending = Ending::new(GRACE);
        assert_eq!(ending.step(ms(1), LEASE, false), Step::Wait(ms(9_600)));
        assert_eq!(ending.step(ms(9_599), LEASE, false), Step::Wait(ms(9_600)));
        let renewed = LEASE + ms(5_000);
        assert_eq!(
            ending.step(ms(9_600), renewed, false),
            Step::Wait(ms(14_600))
        );
        assert!(!ending.has_begun());
    }

    #[test]
    fn without_a_renewal_it_gets_sigterm_a_grace_before_and_is_killed_shortly_before_the_lease_ends()
     {
        let mut ending = Ending::new(GRACE);
        assert_eq!(
            ending.step(ms(9_600), LEASE, false),
            Step::Terminate(ms(9_900))
        );
        assert_eq!(ending.step(ms(9_601), LEASE, false), Step::Wait(ms(9_900)));
        assert_eq!(ending.step(ms(9_900), LEASE, false), Step::Kill);
        assert_eq!(ending.step(ms(9_950), LEASE, true), Step::Kill);
    }

    #[test]
    fn a_late_renewal_does_not_take_it_back() {
        let mut ending = Ending::new(GRACE);
        assert_eq!(
            ending.step(ms(9_700), LEASE, false),
            Step::Terminate(ms(9_900))
        );
        assert_eq!(
            ending.step(ms(9_800), LEASE * 2, false),
            Step::Wait(ms(9_900))
        );
        assert!(ending.has_begun());
    }

    #[test]
    fn when_the_lock_is_lost_it_gets_sigterm_at_once_and_is_killed_after_the_grace() {
        let mut ending = Ending::new(GRACE);
        assert_eq!(
            ending.step(ms(1_000), LEASE, true),
            Step::Terminate(ms(1_400))
        );
        assert_eq!(ending.step(ms(1_400), LEASE, true), Step::Kill);
    }

    #[test]
    fn a_loss_late_in_the_lease_does_not_make_the_end_later() {
        let mut ending = Ending::new(GRACE);
        assert_eq!(
            ending.step(ms(9_800), LEASE, true),
            Step::Terminate(ms(9_900))
        );
    }

    #[test]
    fn once_the_lease_is_over_no_sigterm_is_sent() {
        for lost in [false, true] {
            let mut ending = Ending::new(GRACE);
            assert_eq!(ending.step(ms(10_500), LEASE, lost), Step::Kill);
            assert!(ending.has_begun());
            assert_eq!(ending.step(ms(10_501), LEASE * 2, lost), Step::Kill);
        }
    }

    #[test]
    fn the_second_process_sends_sigterm_later_and_kills_at_the_same_time() {
        let mut second = Ending::second(GRACE);
        assert_eq!(second.step(ms(9_600), LEASE, false), Step::Wait(ms(9_700)));
        assert_eq!(
            second.step(ms(9_700), LEASE, false),
            Step::Terminate(ms(9_900))
        );
        let mut second = Ending::second(GRACE);
        second.sigterm_sent(ms(9_900));
        assert_eq!(second.step(ms(9_700), LEASE, false), Step::Wait(ms(9_900)));
    }

    #[test]
    fn a_tiny_lease_is_no_special_case() {
        let mut ending = Ending::new(Duration::ZERO);
        assert_eq!(ending.step(ms(2), ms(3), false), Step::Wait(ms(3)));
        assert_eq!(ending.step(ms(3), ms(3), false), Step::Kill);
        let mut ending = Ending::new(Duration::ZERO);
        assert_eq!(ending.step(ms(2), ms(3), true), Step::Terminate(ms(2)));
        assert_eq!(ending.step(ms(2), ms(3), true), Step::Kill);
    }
}
