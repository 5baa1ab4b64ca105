//! The TLS of one connection: plain bytes to encrypted ones and back; the socket is another's.

use std::io::{self, Read, Write};

use rustls::{ClientConnection, Error};
use tokio::net::TcpStream;

use super::{TlsClient, explain};

/// A session whose handshake is done.
#[derive(Debug)]
pub(crate) struct TlsSession {
    connection: ClientConnection,
}

impl TlsSession {
    /// Shakes hands with the server at `address`, `stream` being connected to it. The error goes on after "cannot connect to
    /// address: ". Bytes that the server sends behind its part of the handshake are kept until the next bytes come: a server of
    /// this protocol speaks only when spoken to.
    pub(crate) async fn connect(client: &TlsClient, address: &str, stream: &TcpStream) -> Result<Self, String> {
        let name = client.server_name(address).map_err(|error| error.to_string())?;
        let connection = ClientConnection::new(std::sync::Arc::clone(&client.config), name);
        let mut connection = connection.map_err(|error| explain(&error))?;
        // What is encrypted is taken at once, so a limit would only make large frames fail.
        connection.set_buffer_limit(None);
        loop {
            while connection.wants_write() {
                match connection.write_tls(&mut Socket(stream)) {
                    Ok(_) => {}
                    Err(error) if would_block(&error) => ready(stream.writable().await)?,
                    Err(error) => return Err(last_words(&mut connection, stream).unwrap_or_else(|| lost(&error))),
                }
            }
            if !connection.is_handshaking() {
                return Ok(Self { connection });
            }
            match connection.read_tls(&mut Socket(stream)) {
                Ok(0) => {
                    return Err(
                        "it closed the connection in the TLS handshake, perhaps because it does not speak TLS \
                         on this port"
                            .to_owned(),
                    );
                }
                Ok(_) => {
                    if let Err(error) = connection.process_new_packets() {
                        // The alert that tells the peer; if it does not arrive, the end of the connection does.
                        let _ = connection.write_tls(&mut Socket(stream));
                        return Err(explain(&error));
                    }
                }
                Err(error) if would_block(&error) => ready(stream.readable().await)?,
                Err(error) => return Err(lost(&error)),
            }
        }
    }

    /// Appends `plain` to `out`, encrypted.
    pub(crate) fn encrypt(&mut self, plain: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        self.connection.writer().write_all(plain)?;
        self.take_output(out)
    }

    /// Appends to `out` all that is to be sent.
    fn take_output(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        while self.connection.wants_write() {
            self.connection.write_tls(out)?;
        }
        Ok(())
    }

    /// Appends to `plain` what there is in `cipher`, the next bytes that came. Half records are kept for the next call. True: the peer
    /// has said that it sends nothing more. What the session itself has to answer, new keys say, goes out with what is sent next.
    pub(crate) fn decrypt(&mut self, mut cipher: &[u8], plain: &mut Vec<u8>) -> Result<bool, Error> {
        let mut ended = false;
        while !cipher.is_empty() && !ended {
            // Cannot fail: a slice is read, and no decrypted bytes are left waiting.
            self.connection.read_tls(&mut cipher).map_err(|error| Error::General(error.to_string()))?;
            let state = self.connection.process_new_packets()?;
            ended = state.peer_has_closed();
            let start = plain.len();
            plain.resize(start + state.plaintext_bytes_to_read(), 0);
            let target = plain.get_mut(start..).unwrap_or_default();
            self.connection.reader().read_exact(target).map_err(|error| Error::General(error.to_string()))?;
        }
        Ok(ended)
    }

    /// Why the peer closed the connection, in case it said so before writing to it failed.
    pub(crate) fn last_words(&mut self, stream: &TcpStream) -> Option<String> {
        last_words(&mut self.connection, stream)
    }

    /// Appends to `out` that nothing more is sent.
    pub(crate) fn end(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.connection.send_close_notify();
        self.take_output(out)
    }
}

fn last_words(connection: &mut ClientConnection, stream: &TcpStream) -> Option<String> {
    while connection.read_tls(&mut Socket(stream)).is_ok_and(|bytes| bytes > 0) {
        if let Err(error) = connection.process_new_packets() {
            return Some(explain(&error));
        }
    }
    None
}

/// A socket as rustls wants it.
struct Socket<'a>(&'a TcpStream);

impl Read for Socket<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(into)
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn would_block(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

fn ready(ready: io::Result<()>) -> Result<(), String> {
    ready.map_err(|error| lost(&error))
}

fn lost(error: &io::Error) -> String {
    format!("the connection broke in the TLS handshake: {error}")
}
