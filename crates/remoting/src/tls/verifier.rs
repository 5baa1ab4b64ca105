//! What a server's certificate must be.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// The rules of the web, with two concessions: a certificate that is itself among the authorities is good, though it may sign others
/// (OpenSSL, and so Node and Java, take it; self-signed ones are of this kind), and the name may be ignored.
#[derive(Debug)]
pub(super) struct Verifier {
    rules: Option<Rules>,
    schemes: Vec<SignatureScheme>,
}

#[derive(Debug)]
struct Rules {
    web: Arc<WebPkiServerVerifier>,
    authorities: Vec<CertificateDer<'static>>,
    check_name: bool,
}

impl Verifier {
    /// `None` when there is no authority.
    pub(super) fn new(
        store: RootCertStore,
        authorities: Vec<CertificateDer<'static>>,
        check_name: bool,
        provider: &Arc<CryptoProvider>,
    ) -> Option<Self> {
        let web = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider)).build().ok()?;
        let schemes = web.supported_verify_schemes();
        Some(Self { rules: Some(Rules { web, authorities, check_name }), schemes })
    }

    /// Takes every certificate.
    pub(super) fn believing(provider: &CryptoProvider) -> Self {
        Self { rules: None, schemes: provider.signature_verification_algorithms.supported_schemes() }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(rules) = &self.rules else { return Ok(ServerCertVerified::assertion()) };
        match rules.web.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(Error::InvalidCertificate(error)) => {
                let known = || rules.authorities.iter().any(|authority| authority == end_entity);
                // Found after its time was found good, and before its name is looked at.
                if is_authority(&error) && known() {
                    if rules.check_name {
                        verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                    }
                    return Ok(ServerCertVerified::assertion());
                }
                match error {
                    // The last of all checks.
                    CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
                        if !rules.check_name =>
                    {
                        Ok(ServerCertVerified::assertion())
                    }
                    error => Err(error.into()),
                }
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match &self.rules {
            Some(rules) => rules.web.verify_tls12_signature(message, cert, dss),
            // A certificate that anyone may have made proves nothing by its key.
            None => Ok(HandshakeSignatureValid::assertion()),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match &self.rules {
            Some(rules) => rules.web.verify_tls13_signature(message, cert, dss),
            None => Ok(HandshakeSignatureValid::assertion()),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

/// Whether the error is that the certificate may sign others.
fn is_authority(error: &CertificateError) -> bool {
    let CertificateError::Other(other) = error else { return false };
    matches!(other.0.downcast_ref::<webpki::Error>(), Some(webpki::Error::CaUsedAsEndEntity))
}
