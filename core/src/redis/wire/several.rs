//! The commands for several keys, and for an obtain that is sent again, on a server that runs no scripts. The table in
//! `core/docs/scripts.md` says what each combination of replies means.

use super::{Kind, PerKey, Wire, count};
use crate::claim::Claim;
use crate::redis::capability::Delete;
use crate::redis::resp::command;
use crate::ttl::Ttl;

impl Wire<'_> {
    #[cold]
    pub(super) fn obtain_without_scripts(
        &mut self,
        claim: &Claim,
        ttl: Ttl,
        again: bool,
    ) -> (Kind, u16) {
        if again {
            self.set_each_if_equal(claim, ttl);
        }
        if claim.keys().len() == 1 {
            self.set_if_free(claim, ttl);
        } else {
            self.set_several(claim, ttl);
        }
        if again {
            return self.per_key_with_times(PerKey::Settle, claim);
        }
        self.with_times(Kind::SetSeveral, claim)
    }

    #[cold]
    pub(super) fn refresh_each(&mut self, claim: &Claim, ttl: Ttl) -> (Kind, u16) {
        self.set_each_if_equal(claim, ttl);
        self.per_key_with_times(PerKey::Refresh, claim)
    }

    #[cold]
    pub(super) fn release_each(&mut self, claim: &Claim) -> (Kind, u16) {
        for key in claim.keys().iter() {
            let delex = self.capability.delete == Delete::Delex;
            let mut command = command(self.out, if delex { 4 } else { 3 });
            command.arg(if delex { b"DELEX" } else { b"DELIFEQ" });
            command.joined(self.prefix, key.as_bytes());
            if delex {
                command.arg(b"IFEQ");
            }
            command.prepared(claim.frame().value());
        }
        let keys = count(claim.keys(), 1);
        let command = PerKey::Release;
        (Kind::PerKey { command, keys }, keys)
    }

    fn set_each_if_equal(&mut self, claim: &Claim, ttl: Ttl) {
        for key in claim.keys().iter() {
            command(self.out, 7)
                .arg(b"SET")
                .joined(self.prefix, key.as_bytes())
                .prepared(claim.frame().value())
                .arg(b"IFEQ")
                .prepared(claim.frame().value())
                .arg(b"PX")
                .prepared(self.ttl.argument(ttl));
        }
    }

    fn set_several(&mut self, claim: &Claim, ttl: Ttl) {
        let keys = claim.keys().len();
        let mut command = command(self.out, keys.saturating_mul(2).saturating_add(5));
        command.arg(b"MSETEX").number(keys as u64);
        for key in claim.keys().iter() {
            command
                .joined(self.prefix, key.as_bytes())
                .prepared(claim.frame().value());
        }
        command
            .arg(b"NX")
            .arg(b"PX")
            .prepared(self.ttl.argument(ttl));
    }

    fn per_key_with_times(&mut self, command: PerKey, claim: &Claim) -> (Kind, u16) {
        let keys = count(claim.keys(), 1);
        let kind = Kind::PerKey { command, keys };
        let (kind, times) = self.with_times(kind, claim);
        // One of the deciding replies is counted there.
        let others = kind.deciding().saturating_sub(1);
        (kind, times.saturating_add(others))
    }
}
