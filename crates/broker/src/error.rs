//! Why a broker does not start or does not end well.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use rocketmq_store::StoreError;

/// Why a broker does not start or does not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The operating system's reason.
        #[source]
        source: io::Error,
    },
    /// A name in the configuration is not one.
    #[error("{key}={value}: {remark}")]
    BadName {
        /// The key in the configuration.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        remark: String,
    },
    /// A configuration file under `config/` can neither be read itself nor from its `.bak`.
    #[error("cannot read {}", path.display())]
    ConfigFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A thread cannot be started.
    #[error("cannot start the thread {name}")]
    Thread {
        /// Its name.
        name: &'static str,
        /// The operating system's reason.
        #[source]
        source: io::Error,
    },
    /// The store cannot be opened, read or closed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
