//! Any bytes as what a connection brings: a frame is refused or decoded whole, and one that ends early is never taken.

use rocketmq_codec::{Command, MAX_FRAME_BYTES, frame_length};

/// Decodes them as what a connection brings. Panics where that goes wrong.
pub fn frame(bytes: &[u8]) {
    let Ok(Some(total)) = frame_length(bytes, MAX_FRAME_BYTES) else { return };
    let Some(frame) = bytes.get(..total) else {
        assert!(Command::decode(bytes).is_err());
        return;
    };
    let Ok(command) = Command::decode(frame) else { return };
    assert!(frame.ends_with(command.body));
    for (key, value) in command.ext.iter() {
        assert!(key.len() + value.len() <= frame.len());
    }
}
