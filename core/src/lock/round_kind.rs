//! What a round is for.

#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum RoundKind {
    Obtain,
    /// Raises the counters of all nodes to the fence of a lock that is granted already.
    Seal,
    /// Only reads whether the keys are free.
    Look,
    /// A refresh that the caller requested.
    Refresh,
    /// A refresh by automatic renewal.
    Renew,
    Check,
    /// Lets a lock share its key from now on, or have it alone.
    #[cfg(feature = "modes")]
    Change,
    Release,
}

impl RoundKind {
    /// Whether it is part of an attempt to get the keys.
    pub(crate) const fn is_attempt(self) -> bool {
        matches!(self, Self::Obtain | Self::Seal)
    }

    /// Whether the lock is not held while the round goes on, and a caller waits for it.
    pub(crate) const fn obtains(self) -> bool {
        matches!(self, Self::Obtain | Self::Seal | Self::Look)
    }

    /// Whether its requests set a ttl.
    pub(crate) const fn sets_ttl(self) -> bool {
        matches!(
            self,
            Self::Obtain | Self::Seal | Self::Refresh | Self::Renew
        ) || self.is_change()
    }

    /// Whether it changes the mode of a lock that is held.
    pub(crate) const fn is_change(self) -> bool {
        #[cfg(feature = "modes")]
        return matches!(self, Self::Change);
        #[cfg(not(feature = "modes"))]
        false
    }
}
