//! Authorities and the certificates they sign.

use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use time::{Duration, OffsetDateTime};

use crate::server::ServerSettings;

/// So many days from now.
pub fn days(days: i64) -> OffsetDateTime {
    OffsetDateTime::now_utc() + Duration::days(days)
}

static AUTHORITIES: AtomicUsize = AtomicUsize::new(0);

/// Someone who signs certificates.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    name: String,
    /// Its own certificate.
    pub pem: String,
}

impl Authority {
    pub fn new() -> Self {
        Self::named(&[])
    }

    /// One whose own certificate is for these names.
    pub fn named(names: &[&str]) -> Self {
        Self::made(&own_name(), names, -1, 10)
    }

    /// One that calls itself like this one, with a key of its own.
    pub fn pretender(&self) -> Self {
        Self::made(&self.name, &[], -1, 10)
    }

    /// One whose certificate is too old.
    pub fn expired(names: &[&str]) -> Self {
        Self::made(&own_name(), names, -10, -1)
    }

    fn made(name: &str, names: &[&str], from: i64, to: i64) -> Self {
        let params = authority_params(name, names, from, to);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let certificate: &Certificate = issuer.as_ref();
        let pem = certificate.pem();
        Self { issuer, name: name.to_owned(), pem }
    }

    /// A server with a certificate for these names, which this authority has signed.
    pub fn server(&self, names: &[&str]) -> ServerSettings {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        ServerSettings::new(Box::new({
            let signer = self.signer();
            move |from, to| {
                let key = KeyPair::generate().unwrap();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                (vec![signer.sign(&names, &key, from, to)], key_of(&key))
            }
        }))
    }

    /// A server that shows the certificate of the authority.
    pub fn itself(&self) -> ServerSettings {
        let certificate: &Certificate = self.issuer.as_ref();
        let chain = vec![certificate.der().clone()];
        let key = key_of(self.issuer.key());
        ServerSettings::new(Box::new(move |_, _| (chain.clone(), key.clone_key())))
    }

    /// Certificate and key of a client, PEM and PKCS #8.
    pub fn client(&self) -> (String, Vec<u8>) {
        let key = KeyPair::generate().unwrap();
        let certificate = params(&["client"], days(-1), days(1)).signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_der())
    }

    /// The certificate itself.
    pub fn der(&self) -> CertificateDer<'static> {
        let certificate: &Certificate = self.issuer.as_ref();
        certificate.der().clone()
    }

    fn signer(&self) -> Signer {
        let params = authority_params(&self.name, &[], -1, 10);
        let key = KeyPair::try_from(self.issuer.key().serialize_der()).unwrap();
        Signer(rcgen::Issuer::new(params, key))
    }
}

struct Signer(rcgen::Issuer<'static, KeyPair>);

impl Signer {
    fn sign(&self, names: &[&str], key: &KeyPair, from: OffsetDateTime, to: OffsetDateTime) -> CertificateDer<'static> {
        params(names, from, to).signed_by(key, &self.0).unwrap().der().clone()
    }
}

fn own_name() -> String {
    format!("authority {}", AUTHORITIES.fetch_add(1, Ordering::Relaxed))
}

fn authority_params(name: &str, names: &[&str], from: i64, to: i64) -> CertificateParams {
    let mut params = params(names, days(from), days(to));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn params(names: &[&str], from: OffsetDateTime, to: OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap();
    params.not_before = from;
    params.not_after = to;
    params
}

fn key_of(key: &KeyPair) -> PrivatePkcs8KeyDer<'static> {
    PrivatePkcs8KeyDer::from(key.serialize_der())
}
