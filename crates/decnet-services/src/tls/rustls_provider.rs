//! TLS 1.2 and 1.3 by rustls. Its answers (JARM, cipher list) are its own whatever the persona says.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;

use super::{Certificate, Established, Handshake, Hello, Provider, TlsError};
use crate::connection::Stream;

/// The provider that every service uses by default.
pub struct Rustls {
    config: Arc<ServerConfig>,
    /// For clients whose protocols are all foreign to the service, where it does not mind.
    without_alpn: Arc<ServerConfig>,
    alpn: Vec<Vec<u8>>,
    strict: bool,
    end_point: Vec<u8>,
}

impl Rustls {
    /// Shows this certificate.
    ///
    /// # Errors
    /// The library refuses the certificate.
    pub fn new(certificate: Certificate, alpn: &[&str], strict: bool) -> Result<Rustls, TlsError> {
        Rustls::with_versions(certificate, alpn, strict, rustls::DEFAULT_VERSIONS)
    }

    /// The same without TLS 1.3, for protocols whose servers never had it.
    ///
    /// # Errors
    /// The library refuses the certificate.
    pub fn up_to_1_2(certificate: Certificate, alpn: &[&str], strict: bool) -> Result<Rustls, TlsError> {
        Rustls::with_versions(certificate, alpn, strict, &[&rustls::version::TLS12])
    }

    fn with_versions(
        certificate: Certificate,
        alpn: &[&str],
        strict: bool,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Result<Rustls, TlsError> {
        let refused = |error: rustls::Error| TlsError::Settings(error.to_string());
        let end_point = Sha256::digest(&certificate.der).to_vec();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certificate.key));
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .map_err(refused)?
            .with_no_client_auth()
            .with_single_cert(vec![CertificateDer::from(certificate.der)], key)
            .map_err(refused)?;
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(refused)?;
        let without_alpn = Arc::new(config.clone());
        let alpn: Vec<Vec<u8>> = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config.alpn_protocols.clone_from(&alpn);
        Ok(Rustls { config: Arc::new(config), without_alpn, alpn, strict, end_point })
    }
}

impl Provider for Rustls {
    fn handshake<'a>(&'a self, stream: Box<dyn Stream>, hello: &'a Hello) -> Handshake<'a> {
        Box::pin(async move {
            let foreign = !hello.alpn.iter().any(|offered| self.alpn.contains(offered));
            let config = if foreign && !self.strict { &self.without_alpn } else { &self.config };
            let stream = TlsAcceptor::from(Arc::clone(config)).accept(stream).await?;
            let alpn = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
            Ok(Established { stream: Box::new(stream), alpn, end_point: self.end_point.clone() })
                as io::Result<Established>
        })
    }
}
