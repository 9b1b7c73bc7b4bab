//! What commands reply.

use super::Call;
use crate::redis::resp::{
    write_array, write_bulk, write_error, write_integer, write_map, write_null, write_simple,
};

impl Call<'_> {
    pub(super) fn ok(&mut self) {
        write_simple(self.out, b"OK");
    }

    pub(super) fn simple(&mut self, text: &[u8]) {
        write_simple(self.out, text);
    }

    pub(super) fn integer(&mut self, value: i64) {
        write_integer(self.out, value);
    }

    pub(super) fn bulk(&mut self, bytes: &[u8]) {
        write_bulk(self.out, bytes);
    }

    pub(super) fn null(&mut self) {
        write_null(self.out, self.session.resp3);
    }

    pub(super) fn array(&mut self, len: usize) {
        write_array(self.out, len);
    }

    /// The header of a map, which is an array in RESP2.
    pub(super) fn map(&mut self, pairs: usize) {
        if self.session.resp3 {
            write_map(self.out, pairs);
        } else {
            write_array(self.out, pairs.saturating_mul(2));
        }
    }

    pub(super) fn error(&mut self, text: &[u8]) {
        write_error(self.out, text);
    }

    pub(super) fn error_of(&mut self, parts: &[&[u8]]) {
        write_error(self.out, &parts.concat());
    }

    /// `name` is the command, and its subcommand if there is one.
    pub(super) fn wrong_arity(&mut self, name: &[&[u8]]) {
        let name = name.join(&b'|');
        self.error_of(&[b"ERR wrong number of arguments for '", &name, b"' command"]);
    }

    pub(super) fn unknown_subcommand(&mut self, command: &[u8]) {
        let name = self.arg(1);
        self.error_of(&[
            b"ERR unknown subcommand '",
            name,
            b"'. Try ",
            command,
            b" HELP.",
        ]);
    }
}
