//! Host and port as records and ids hold them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::bytes::Reader;

/// An address in a record: 4 or 16 bytes and a 32-bit port, which need not be a real one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HostAddr {
    /// IPv4 or IPv6 address.
    pub ip: IpAddr,
    /// Port.
    pub port: i32,
}

impl From<SocketAddr> for HostAddr {
    fn from(addr: SocketAddr) -> Self {
        Self { ip: addr.ip().to_canonical(), port: addr.port().into() }
    }
}

impl fmt::Display for HostAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            IpAddr::V4(ip) => write!(f, "{ip}:{}", self.port),
            IpAddr::V6(ip) => write!(f, "[{ip}]:{}", self.port),
        }
    }
}

impl HostAddr {
    /// Bytes it takes in a record: 8 or 20.
    pub fn encoded_len(&self) -> usize {
        encoded_len(self.ip.is_ipv6())
    }

    pub(super) fn read(reader: &mut Reader<'_>, v6: bool) -> Option<Self> {
        let ip = if v6 { IpAddr::from(reader.array::<16>()?) } else { IpAddr::from(reader.array::<4>()?) };
        Some(Self { ip, port: reader.i32()? })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self.ip {
            IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
            IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
        }
        out.extend_from_slice(&self.port.to_be_bytes());
    }
}

pub(super) fn encoded_len(v6: bool) -> usize {
    if v6 { 20 } else { 8 }
}
