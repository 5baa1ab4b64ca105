//! What went wrong in TLS, for people: what it means here and what to do.

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

/// A clause that goes on after "cannot connect to host:port: ".
pub(crate) fn explain(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => format!("its certificate is not accepted: {}", explain_certificate(error)),
        Error::InvalidMessage(InvalidMessage::InvalidContentType | InvalidMessage::MessageTooLarge) => {
            "it does not speak TLS on this port".to_owned()
        }
        Error::AlertReceived(alert) => explain_alert(*alert),
        Error::PeerIncompatible(reason) => format!("no version and cipher in common with it ({reason:?})"),
        error => format!("TLS failed: {error}"),
    }
}

fn explain_certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => {
            "none of the trusted authorities has signed it (trust another one with the option tls.ca)".to_owned()
        }
        CertificateError::BadSignature => {
            "the trusted authority of that name has not signed it (see the option tls.ca)".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("{error} (name the server with the option tls.servername)")
        }
        CertificateError::Other(other) => match other.0.downcast_ref::<webpki::Error>() {
            Some(webpki::Error::CaUsedAsEndEntity) => {
                "it is that of an authority (to trust this very certificate, give it as the option tls.ca)".to_owned()
            }
            Some(webpki::Error::UnsupportedCertVersion) => "it is of X.509 version 1, version 3 is needed".to_owned(),
            _ => error.to_string(),
        },
        error => error.to_string(),
    }
}

fn explain_alert(alert: AlertDescription) -> String {
    let advice = match alert {
        AlertDescription::CertificateRequired => {
            "it wants a certificate of this client: give the options tls.cert and tls.key"
        }
        AlertDescription::UnknownCA
        | AlertDescription::CertificateUnknown
        | AlertDescription::BadCertificate
        | AlertDescription::DecryptError => {
            "it does not accept the certificate of this client, or misses one: see the options tls.cert and tls.key"
        }
        AlertDescription::CertificateExpired => "the certificate of this client, the option tls.cert, has expired",
        AlertDescription::HandshakeFailure => {
            "it found no version, cipher or client certificate (options tls.cert and tls.key) to its liking"
        }
        _ => "it ended the TLS session",
    };
    format!("{advice} (alert {alert:?})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_names_the_option_that_helps() {
        assert!(explain(&CertificateError::UnknownIssuer.into()).contains("tls.ca"));
        assert!(explain(&CertificateError::NotValidForName.into()).contains("tls.servername"));
        assert!(explain(&Error::AlertReceived(AlertDescription::CertificateRequired)).contains("tls.cert"));
        assert!(explain(&InvalidMessage::InvalidContentType.into()).contains("does not speak TLS"));
    }
}
