//! TLS by rustls, which is a state machine without I/O, so it works the same with every runtime.

use std::io::{self, Read as _, Write as _};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::address::Endpoint;
use crate::error::ConnectError;

/// Certificates of the user's own, as PEM texts.
#[derive(Clone, Default)]
pub(crate) struct Certificates {
    pub(crate) roots: Vec<Vec<u8>>,
    /// Chain and key.
    pub(crate) identity: Option<(Vec<u8>, Vec<u8>)>,
}

/// How servers are verified.
#[derive(Clone, Debug)]
pub(crate) struct Tls(Arc<ClientConfig>);

impl Tls {
    pub(crate) fn new(certificates: &Certificates) -> Result<Self, ConnectError> {
        let mut roots = RootCertStore::empty();
        if certificates.roots.is_empty() {
            // Not those of the operating system: they are read from files, differ from machine to machine, and small
            // containers have none. Servers inside a company have an authority of their own anyway.
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        for pem in &certificates.roots {
            for root in chain(pem)? {
                roots.add(root).map_err(unusable)?;
            }
        }
        // The provider is named, so that the application may have another default one.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_root_certificates(roots);
        let config = match &certificates.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let key = PrivateKeyDer::from_pem_slice(key).map_err(unusable)?;
                let chain = chain(certificate)?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(unusable)?
            }
        };
        Ok(Self(Arc::new(config)))
    }

    /// Begins a session by writing its first bytes to `out`.
    pub(crate) fn session(&self, to: &Endpoint, out: &mut Vec<u8>) -> io::Result<Session> {
        let Endpoint::Tcp { host, .. } = to else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
        let mut session =
            ClientConnection::new(Arc::clone(&self.0), name).map_err(io::Error::other)?;
        // The core limits how many bytes wait already.
        session.set_buffer_limit(None);
        let mut session = Session(Box::new(session));
        session.flush(out)?;
        Ok(session)
    }
}

fn chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let chain = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(unusable)?;
    if chain.is_empty() {
        return Err(unusable("there is no certificate in the PEM text"));
    }
    Ok(chain)
}

fn unusable(error: impl ToString) -> ConnectError {
    ConnectError::Certificate(error.to_string())
}

/// One TLS session.
pub(crate) struct Session(Box<ClientConnection>);

impl Session {
    /// Encrypts `plain` to `out`. Bytes before the end of the handshake are kept until then, so that no byte is sent to a
    /// server that is not verified.
    pub(crate) fn send(&mut self, plain: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        self.0.writer().write_all(plain)?;
        self.flush(out)
    }

    /// Decrypts `wire` to `plain`, and appends the session's own messages to `out`.
    pub(crate) fn receive(
        &mut self,
        mut wire: &[u8],
        plain: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        while !wire.is_empty() {
            if self.0.read_tls(&mut wire)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let news = self.0.process_new_packets().map_err(io::Error::other)?;
            let start = plain.len();
            plain.resize(start + news.plaintext_bytes_to_read(), 0);
            self.0.reader().read_exact(&mut plain[start..])?;
        }
        self.flush(out)
    }

    fn flush(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        while self.0.wants_write() {
            self.0.write_tls(out)?;
        }
        Ok(())
    }
}
