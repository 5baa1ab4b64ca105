//! The read side of a connection.

use std::io;

use rocketmq_codec::frame_length;
use tokio::net::TcpStream;

/// Bytes asked of the socket in one read.
const READ_BYTES: usize = 128 * 1024;
/// A buffer that grew beyond this for one large frame is given back once it is empty.
pub(crate) const KEEP_BYTES: usize = 1024 * 1024;
/// Why a connection ended that the peer closed.
pub(crate) const PEER_CLOSED: &str = "the peer closed the connection";

/// The read side's buffer: bytes read, of which a prefix is consumed.
#[derive(Default)]
pub(crate) struct Input {
    bytes: Vec<u8>,
    consumed: usize,
    /// Kept between reads for its memory; with TLS only.
    cipher: Vec<u8>,
    /// The peer has said, in TLS, that it sends nothing more.
    pub(crate) ended: bool,
}

impl Input {
    /// What was read and not consumed.
    pub(crate) fn unread(&self) -> &[u8] {
        self.bytes.get(self.consumed..).unwrap_or_default()
    }

    /// The first `count` unread bytes were dealt with.
    pub(crate) fn consume(&mut self, count: usize) {
        self.consumed += count;
        if self.consumed == self.bytes.len() {
            self.consumed = 0;
            self.bytes.clear();
            if self.bytes.capacity() > KEEP_BYTES {
                self.bytes = Vec::new();
            }
        }
    }

    /// One read. `Ok(false)`: nothing there after all. The buffer grows with what has arrived, not with what a frame
    /// announces, so that an announced length alone costs no memory.
    pub(crate) fn read(&mut self, stream: &TcpStream, max_frame_bytes: usize) -> Result<bool, String> {
        self.make_room(max_frame_bytes)?;
        read_some(stream, &mut self.bytes)
    }

    /// The same through TLS: `decrypt` appends what there is in the bytes read, and says whether the peer sends nothing more.
    pub(crate) fn read_encrypted(
        &mut self,
        stream: &TcpStream,
        max_frame_bytes: usize,
        decrypt: impl FnOnce(&[u8], &mut Vec<u8>) -> Result<bool, String>,
    ) -> Result<bool, String> {
        self.make_room(max_frame_bytes)?;
        self.cipher.clear();
        self.cipher.reserve(READ_BYTES);
        if !read_some(stream, &mut self.cipher)? {
            return Ok(false);
        }
        let before = self.bytes.len();
        self.ended = decrypt(&self.cipher, &mut self.bytes)?;
        Ok(self.bytes.len() > before || self.ended)
    }

    /// Makes room for one read.
    fn make_room(&mut self, max_frame_bytes: usize) -> Result<(), String> {
        // Refuses a hostile length before the buffer is made larger for it.
        frame_length(self.unread(), max_frame_bytes).map_err(|error| format!("malformed frame: {error}"))?;
        if self.consumed > 0 && self.bytes.capacity() - self.bytes.len() < READ_BYTES {
            self.bytes.drain(..self.consumed);
            self.consumed = 0;
        }
        self.bytes.reserve(READ_BYTES);
        Ok(())
    }
}

/// One read to the end of `into`, which has room. `Ok(false)`: nothing there after all.
fn read_some(stream: &TcpStream, into: &mut Vec<u8>) -> Result<bool, String> {
    match stream.try_read_buf(into) {
        Ok(0) => Err(PEER_CLOSED.to_owned()),
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(false),
        Err(error) => Err(format!("read failed: {error}")),
    }
}
