//! The whole frames of one read.

use rocketmq_codec::{Command, FrameError, frame_length};

/// The whole frames that one read brought, and where their replies go.
pub struct Burst<'a> {
    bytes: &'a [u8],
    consumed: usize,
    max_frame_bytes: usize,
    error: Option<FrameError>,
    /// Reply frames; written to the socket in one go after the burst.
    pub reply: &'a mut Vec<u8>,
}

impl<'a> Burst<'a> {
    pub(crate) fn new(bytes: &'a [u8], max_frame_bytes: usize, reply: &'a mut Vec<u8>) -> Self {
        Self { bytes, consumed: 0, max_frame_bytes, error: None, reply }
    }

    /// The next whole frame, or `None` when the rest has not arrived yet or is malformed (the connection then ends after
    /// the replies so far).
    pub fn next_command(&mut self) -> Option<Command<'a>> {
        if self.error.is_some() {
            return None;
        }
        let rest = self.bytes.get(self.consumed..)?;
        match frame_length(rest, self.max_frame_bytes) {
            Ok(Some(total)) => {
                let frame = rest.get(..total)?;
                match Command::decode(frame) {
                    Ok(command) => {
                        self.consumed += total;
                        Some(command)
                    }
                    Err(error) => self.fail(error),
                }
            }
            Ok(None) => None,
            Err(error) => self.fail(error),
        }
    }

    fn fail(&mut self, error: FrameError) -> Option<Command<'a>> {
        self.error = Some(error);
        None
    }

    pub(crate) fn finish(self) -> (usize, Option<FrameError>) {
        (self.consumed, self.error)
    }
}
