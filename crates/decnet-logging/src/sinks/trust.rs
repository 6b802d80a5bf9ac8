//! TLS to a log target: whose certificate is trusted, and which one is shown.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use decnet_core::plan::{Fingerprint, LogTarget};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use sha2::{Digest as _, Sha256};

/// Why a TLS target's files make no configuration. Each names the file and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// A file cannot be read.
    #[error("cannot read `{path}`, the `{option}` of the log target: {source}")]
    Unreadable {
        /// The option.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file without what it should hold.
    #[error("`{path}`, the `{option}` of the log target, holds no {wanted} in PEM")]
    Empty {
        /// The option.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
    },
    /// The authorities cannot be used.
    #[error("`{path}`, the `ca` of the log target, holds a certificate that cannot vouch for others: {why}")]
    Authority {
        /// The file.
        path: PathBuf,
        /// The cause.
        why: String,
    },
    /// Certificate and key do not belong together, or are of a kind that TLS cannot use.
    #[error("`{cert}` and `{key}` are no client certificate and its key: {source}")]
    Client {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// The cause.
        source: rustls::Error,
    },
    /// The host of the target, or its `name`, is none that a certificate could hold.
    #[error("`{0}` is no name that a certificate could hold; give the server's name with `name=`")]
    Name(String),
    /// Neither authority nor fingerprint.
    #[error(
        "log target {0} does not say whose certificate is trusted; add `ca=FILE` or `fingerprint=sha256:…`"
    )]
    Nobody(String),
    /// rustls refuses the configuration.
    #[error("TLS to the log target: {0}")]
    Tls(#[from] rustls::Error),
}

/// The configuration of a TLS target, from its files as they are now, and the name to ask for.
///
/// # Errors
/// See [`TrustError`].
pub fn client(target: &LogTarget) -> Result<(Arc<ClientConfig>, ServerName<'static>), TrustError> {
    let options = &target.options;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let name = options.name.as_ref().unwrap_or(&target.host);
    let server = ServerName::try_from(name.clone()).map_err(|_| TrustError::Name(name.clone()))?;
    let chain = options.ca.as_ref().map(|path| authorities(path, &provider)).transpose()?;
    if chain.is_none() && options.fingerprint.is_none() {
        return Err(TrustError::Nobody(target.place()));
    }
    let verifier = Verifier { chain, fingerprint: options.fingerprint, provider: provider.clone() };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match (&options.cert, &options.key) {
        (Some(cert), Some(key)) => {
            let chain = certificates("cert", cert)?;
            let secret = PrivateKeyDer::from_pem_slice(&read("key", key)?)
                .map_err(|_| TrustError::Empty { option: "key", path: key.clone(), wanted: "private key" })?;
            let failed = |source| TrustError::Client { cert: cert.clone(), key: key.clone(), source };
            builder.with_client_auth_cert(chain, secret).map_err(failed)?
        }
        _ => builder.with_no_client_auth(),
    };
    // A session that is taken up again would skip the certificate of a server that has changed.
    config.resumption = rustls::client::Resumption::disabled();
    Ok((Arc::new(config), server))
}

fn read(option: &'static str, path: &Path) -> Result<Vec<u8>, TrustError> {
    std::fs::read(path).map_err(|source| TrustError::Unreadable { option, path: path.to_owned(), source })
}

fn certificates(option: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let text = read(option, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(|| TrustError::Empty {
        option,
        path: path.to_owned(),
        wanted: "certificate",
    })
}

fn authorities(path: &Path, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, TrustError> {
    let unusable = |why: String| TrustError::Authority { path: path.to_owned(), why };
    let mut roots = RootCertStore::empty();
    for certificate in certificates("ca", path)? {
        roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| unusable(error.to_string()))
}

/// Trusts a chain to known authorities, or one certificate, or both together.
///
/// A certificate known by its fingerprint needs neither name nor dates (RFC 5425 section 5.2): whoever gave
/// the fingerprint has vouched for it.
#[derive(Debug)]
struct Verifier {
    chain: Option<Arc<WebPkiServerVerifier>>,
    fingerprint: Option<Fingerprint>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(wanted) = self.fingerprint {
            let shown = Fingerprint(Sha256::digest(end_entity).into());
            if shown != wanted {
                return Err(CertificateError::Other(rustls::OtherError(Arc::new(OtherPrint(shown)))).into());
            }
        }
        match &self.chain {
            Some(chain) => chain.verify_server_cert(end_entity, intermediates, server_name, ocsp, now),
            None => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The server shows another certificate.
#[derive(Debug)]
struct OtherPrint(Fingerprint);

impl fmt::Display for OtherPrint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "its fingerprint is {}", self.0)
    }
}

impl std::error::Error for OtherPrint {}

/// What a failed handshake says to the operator.
pub(crate) fn explain(error: &rustls::Error) -> String {
    use CertificateError as Bad;
    match error {
        rustls::Error::InvalidCertificate(bad) => match bad {
            Bad::Expired | Bad::ExpiredContext { .. } => "the server's certificate has expired".to_owned(),
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                "the server's certificate is not valid yet; is the clock right?".to_owned()
            }
            // A bad signature is that of another authority with the same name.
            Bad::UnknownIssuer | Bad::BadSignature => {
                "the server's certificate is not signed by an authority of the `ca` file".to_owned()
            }
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                "the server's certificate is for another name; give that one with `name=`".to_owned()
            }
            Bad::Other(other) => format!("the server's certificate is another one: {}", other.0),
            bad => format!("the server's certificate is not accepted: {bad}"),
        },
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            // Of another authority with the same name.
            | AlertDescription::DecryptError
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied,
        ) => format!("the server refuses our client certificate, or that there is none ({error})"),
        rustls::Error::InvalidMessage(_) => format!("the server speaks no TLS ({error})"),
        other => other.to_string(),
    }
}
