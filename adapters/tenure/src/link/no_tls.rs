//! No TLS: the feature is off, and `rediss://` is refused when it is parsed.

#![allow(clippy::needless_pass_by_ref_mut, reason = "as where there is TLS")]

use std::io;

use crate::address::Endpoint;
use crate::error::ConnectError;

/// Certificates of the user's own, which mean nothing here.
#[derive(Clone, Default)]
pub(crate) struct Certificates {
    pub(crate) roots: Vec<Vec<u8>>,
    pub(crate) identity: Option<(Vec<u8>, Vec<u8>)>,
}

/// There is none.
#[derive(Clone, Debug)]
pub(crate) enum Tls {}

impl Tls {
    pub(crate) fn new(_: &Certificates) -> Result<Self, ConnectError> {
        Err(ConnectError::Certificate(
            "TLS needs the feature `tls` of the crate".into(),
        ))
    }

    pub(crate) fn session(&self, _: &Endpoint, _: &mut Vec<u8>) -> io::Result<Session> {
        match *self {}
    }
}

/// There is none.
pub(crate) enum Session {}

impl Session {
    pub(crate) fn send(&mut self, _: &[u8], _: &mut Vec<u8>) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn receive(&mut self, _: &[u8], _: &mut Vec<u8>, _: &mut Vec<u8>) -> io::Result<()> {
        match *self {}
    }
}
