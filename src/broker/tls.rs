//! The gate's certificate.

use super::BrokerError;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// Reads `certificate` (a chain, own first) and `key`, both PEM.
pub(super) fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, BrokerError> {
    let wrong = |path: &Path, problem: String| BrokerError::Tls { path: path.to_owned(), problem };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificate).and_then(|all| all.collect());
    let chain = chain.map_err(|e| wrong(certificate, e.to_string()))?;
    if chain.is_empty() {
        return Err(wrong(certificate, "holds no certificate".into()));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|e| wrong(key, e.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, private))
        .map_err(|e| wrong(key, format!("{e}; does it belong to {}?", certificate.display())))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
