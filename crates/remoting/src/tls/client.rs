//! What all TLS connections of a client have in common.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use super::verifier::Verifier;

/// What a client wants to know of a server's certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verification {
    /// That an authority it trusts has signed it, and that it is for the name connected to.
    #[default]
    Full,
    /// Only that an authority it trusts has signed it, which is what Apache's clients ask with `tls.client.authServer`.
    NameIgnored,
    /// Nothing: whoever answers is believed.
    None,
}

/// How a client speaks TLS.
#[derive(Clone, Copy, Default)]
pub struct TlsClientOptions<'a> {
    /// Certificates of the authorities that are trusted, PEM.
    pub authorities: &'a [u8],
    /// Pass over authorities that cannot be used, as a system's list may have some.
    pub lenient: bool,
    /// The client's own certificate and those that lead to its authority, PEM.
    pub certificate: Option<&'a [u8]>,
    /// The key of `certificate`, PKCS #8 in DER.
    pub private_key: Option<&'a [u8]>,
    /// The name that servers must prove. Default: the host connected to.
    pub server_name: Option<&'a str>,
    /// How much must be right.
    pub verification: Verification,
}

/// Options that no TLS client can be made of.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A list of certificates is no PEM.
    #[error("the {what} cannot be read: {cause}")]
    Pem {
        /// Which list.
        what: &'static str,
        /// What is wrong with it.
        cause: rustls::pki_types::pem::Error,
    },
    /// One of the authorities cannot be used.
    #[error("certificate {number} of the authorities cannot be used: {source}")]
    Authority {
        /// Its place, from 1.
        number: usize,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// There is no authority, so no server could be trusted.
    #[error("there is no certificate among the authorities")]
    NoAuthority,
    /// Certificate and key are not both there.
    #[error("a certificate of the client needs its key, and the key its certificate")]
    Half,
    /// Neither a name nor an IP address.
    #[error("{0:?} is no name a server could have")]
    ServerName(String),
    /// Certificate and key do not go together, or are of a kind that is not supported.
    #[error("the certificate of the client cannot be used: {0}")]
    Certificate(rustls::Error),
}

/// Makes the TLS sessions of a client.
#[derive(Clone)]
pub struct TlsClient {
    pub(super) config: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
}

impl TlsClient {
    /// A client with these options.
    ///
    /// # Errors
    /// [`TlsError`], naming what is wrong.
    pub fn new(options: TlsClientOptions<'_>) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let verifier = match options.verification {
            Verification::None => Verifier::believing(&provider),
            how => {
                let (store, authorities) = authorities(options.authorities, options.lenient)?;
                let verifier = Verifier::new(store, authorities, how == Verification::Full, &provider);
                verifier.ok_or(TlsError::NoAuthority)?
            }
        };
        // Both versions are those of the provider, so this cannot fail.
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(TlsError::Certificate)?;
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        let config = match (options.certificate, options.private_key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(certificate), Some(key)) => {
                let chain = read_pem("certificate of the client", certificate)?;
                let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.to_vec()));
                builder.with_client_auth_cert(chain, key).map_err(TlsError::Certificate)?
            }
            _ => return Err(TlsError::Half),
        };
        let server_name = options.server_name.map(parse_name).transpose()?;
        Ok(Self { config: Arc::new(config), server_name })
    }

    /// The name that the server at `address` (`host:port`) must prove.
    pub(super) fn server_name(&self, address: &str) -> Result<ServerName<'static>, TlsError> {
        match &self.server_name {
            Some(name) => Ok(name.clone()),
            None => {
                let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
                parse_name(host.trim_start_matches('[').trim_end_matches(']'))
            }
        }
    }
}

impl fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsClient").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

fn parse_name(name: &str) -> Result<ServerName<'static>, TlsError> {
    match ServerName::try_from(name.to_owned()) {
        Ok(name) => Ok(name),
        Err(_) => Err(TlsError::ServerName(name.to_owned())),
    }
}

fn read_pem(what: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|cause| TlsError::Pem { what, cause })
}

fn authorities(pem: &[u8], lenient: bool) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), TlsError> {
    let certificates = read_pem("list of authorities", pem)?;
    let mut store = RootCertStore::empty();
    for (index, certificate) in certificates.iter().enumerate() {
        if let Err(source) = store.add(certificate.clone())
            && !lenient
        {
            return Err(TlsError::Authority { number: index + 1, source });
        }
    }
    Ok((store, certificates))
}
