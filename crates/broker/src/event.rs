//! What a broker tells its operator.

use std::fmt;
use std::sync::Arc;

/// Something that nobody asked for but somebody should know.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum BrokerEvent {
    /// A name server took the registration that failed before, or the first one.
    Registered {
        /// Which name server.
        namesrv_addr: String,
    },
    /// A name server did not take the registration. Tried again every 30 s.
    RegistrationFailed {
        /// Which name server.
        namesrv_addr: String,
        /// Why.
        cause: String,
    },
    /// A configuration file could not be used at the start, so its previous version was: what was changed last is missing.
    PreviousVersionLoaded {
        /// Which file under `config/`.
        file: &'static str,
        /// What is wrong with it.
        cause: String,
    },
    /// A configuration file could not be written; what it should hold is kept in memory and written next time.
    PersistFailed {
        /// Which file under `config/`.
        file: &'static str,
        /// Why.
        cause: String,
    },
    /// The store refused a write: the disk is full or broken. Sends are answered SERVICE_NOT_AVAILABLE.
    StoreFailed {
        /// Why.
        cause: String,
    },
    /// A connection ended because of what it sent.
    ConnectionRefused {
        /// The other end.
        peer: String,
        /// Why.
        cause: String,
    },
}

impl fmt::Display for BrokerEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registered { namesrv_addr } => write!(f, "registered at name server {namesrv_addr}"),
            Self::RegistrationFailed { namesrv_addr, cause } => {
                write!(f, "not registered at name server {namesrv_addr}: {cause}")
            }
            Self::PreviousVersionLoaded { file, cause } => write!(
                f,
                "config/{file} cannot be used ({cause}): started from its previous version, {file}.bak, without what was changed \
                 last; a damaged file is kept as {file}.damaged"
            ),
            Self::PersistFailed { file, cause } => write!(f, "config/{file} not written: {cause}"),
            Self::StoreFailed { cause } => write!(f, "the store refuses writes: {cause}"),
            Self::ConnectionRefused { peer, cause } => write!(f, "connection from {peer} ended: {cause}"),
        }
    }
}

/// Receives events; called on event loops and must not block.
#[derive(Clone, Default)]
pub struct EventSink(Option<Arc<dyn Fn(BrokerEvent) + Send + Sync>>);

impl EventSink {
    /// Hands every event to `receive`.
    pub fn new(receive: impl Fn(BrokerEvent) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(receive)))
    }

    pub(crate) fn emit(&self, event: BrokerEvent) {
        if let Some(receive) = &self.0 {
            receive(event);
        }
    }
}

impl fmt::Debug for EventSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "EventSink(set)" } else { "EventSink(none)" })
    }
}
