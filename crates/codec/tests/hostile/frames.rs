//! Frames from strangers.

use proptest::prelude::*;
use rocketmq_codec::header::{GetMaxOffsetRequestHeader, Header, PullMessageResponseHeader};
use rocketmq_codec::{
    Command, FrameError, FrameWriter, Head, HeaderError, MAX_FRAME_BYTES, SerializeType, frame_length,
};

fn write_frame(out: &mut Vec<u8>, serialize_type: SerializeType, opaque: i32, body: &[u8]) {
    let mut writer =
        FrameWriter::begin(out, serialize_type, Head { remark: Some("remärk"), ..Head::response(0, opaque) });
    writer.ext_str("topic", "Töpic");
    writer.ext_i64("queueOffset", i64::MIN);
    writer.ext_bool("committed", true);
    writer.begin_body().extend_from_slice(body);
    writer.finish().unwrap();
}

/// Reads frames the way a connection does: bytes come in pieces, whole frames are taken from the front.
fn read_in_pieces(stream: &[u8], mut piece_ends: Vec<usize>) -> Vec<(i32, Vec<u8>)> {
    piece_ends.push(stream.len());
    let (mut taken, mut read) = (0, Vec::new());
    for end in piece_ends {
        while let Some(total) = frame_length(&stream[taken..end.max(taken)], MAX_FRAME_BYTES).unwrap() {
            let Some(frame) = stream[..end].get(taken..taken + total) else { break };
            let command = Command::decode(frame).unwrap();
            assert_eq!(command.ext.get("topic"), Some("Töpic"));
            read.push((command.opaque, command.body.to_vec()));
            taken += total;
        }
    }
    assert_eq!(taken, stream.len());
    read
}

#[test]
fn frames_glued_together_come_apart_wherever_the_stream_is_split() {
    let mut stream = Vec::new();
    let mut expected = Vec::new();
    for (opaque, body) in [b"".as_slice(), b"x", b"{\"code\":1}", &[0; 100]].into_iter().enumerate() {
        for serialize_type in [SerializeType::Json, SerializeType::RocketMq] {
            write_frame(&mut stream, serialize_type, opaque as i32, body);
            expected.push((opaque as i32, body.to_vec()));
        }
    }
    for split in 0..stream.len() {
        assert_eq!(read_in_pieces(&stream, vec![split]), expected, "split at {split}");
    }
    assert_eq!(read_in_pieces(&stream, (0..stream.len()).collect()), expected, "byte by byte");
}

#[test]
fn a_frame_length_beyond_the_limit_or_below_a_header_is_refused_at_once() {
    let max = MAX_FRAME_BYTES as i32;
    assert_eq!(frame_length(&[], MAX_FRAME_BYTES), Ok(None));
    assert_eq!(frame_length(&[0, 0, 1], MAX_FRAME_BYTES), Ok(None));
    assert_eq!(frame_length(&(max - 4).to_be_bytes(), MAX_FRAME_BYTES), Ok(Some(MAX_FRAME_BYTES)));
    for length in [max - 3, i32::MAX] {
        let total = length as u64 + 4;
        assert_eq!(
            frame_length(&length.to_be_bytes(), MAX_FRAME_BYTES),
            Err(FrameError::TooLarge { total, max: MAX_FRAME_BYTES })
        );
    }
    for length in [i32::MIN, -1, 0, 3] {
        assert_eq!(frame_length(&length.to_be_bytes(), MAX_FRAME_BYTES), Err(FrameError::TooSmall { length }));
    }
}

#[test]
fn a_frame_too_large_to_be_read_is_not_written() {
    let mut out = b"before".to_vec();
    for serialize_type in [SerializeType::Json, SerializeType::RocketMq] {
        let mut writer = FrameWriter::begin(&mut out, serialize_type, Head::request(10, 1));
        writer.begin_body().resize(MAX_FRAME_BYTES + 7, 0);
        assert!(matches!(writer.finish(), Err(FrameError::TooLarge { .. })));
        assert_eq!(out, b"before");
        let mut writer = FrameWriter::begin(&mut out, serialize_type, Head::request(10, 1));
        writer.ext_str(&"k".repeat(40_000), "v");
        assert_eq!(writer.finish(), Err(FrameError::KeyTooLong { length: 40_000 }));
        drop(FrameWriter::begin(&mut out, serialize_type, Head::request(10, 1)));
        assert_eq!(out, b"before");
    }
}

#[test]
fn a_cut_or_overlong_frame_is_refused() {
    for serialize_type in [SerializeType::Json, SerializeType::RocketMq] {
        let mut frame = Vec::new();
        write_frame(&mut frame, serialize_type, 1, b"body");
        for length in 0..frame.len() {
            Command::decode(&frame[..length]).unwrap_err();
            // With a length that fits what is there, all that is cut from is the body or the header.
            if length >= 8 {
                let mut lying = frame[..length].to_vec();
                lying[..4].copy_from_slice(&(length as u32 - 4).to_be_bytes());
                let decoded = Command::decode(&lying);
                assert_eq!(decoded.is_ok(), length >= frame.len() - 4, "{length}");
            }
        }
        frame.push(0);
        Command::decode(&frame).unwrap_err();
        frame.pop();
        frame[4] = 2;
        assert_eq!(Command::decode(&frame), Err(FrameError::SerializeType(2)));
    }
}

#[test]
fn fields_that_do_not_make_the_header_are_named() {
    let decode = |fields: &[(&str, &str)]| {
        let mut out = Vec::new();
        let mut writer = FrameWriter::begin(&mut out, SerializeType::RocketMq, Head::request(30, 1));
        fields.iter().for_each(|(key, value)| writer.ext_str(key, value));
        writer.finish().unwrap();
        let command = Command::decode(&out).unwrap();
        GetMaxOffsetRequestHeader::decode(&command.ext)
            .map(|header| (header.topic.into_owned(), header.queue_id, header.committed))
    };
    let header = "GetMaxOffsetRequestHeader";
    assert_eq!(decode(&[("topic", "T"), ("queueId", "+3"), ("more", "x")]), Ok(("T".into(), 3, true)));
    assert_eq!(decode(&[("topic", "T"), ("queueId", "3"), ("committed", "no")]), Ok(("T".into(), 3, false)));
    assert_eq!(decode(&[("queueId", "3")]), Err(HeaderError::Missing { header, field: "topic" }));
    // An empty value is null in the binary form.
    assert_eq!(decode(&[("topic", ""), ("queueId", "3")]), Err(HeaderError::Missing { header, field: "topic" }));
    for value in ["x", "2147483648", " 3", "3.0"] {
        let invalid = HeaderError::Invalid { header, field: "queueId", value: value.into() };
        assert_eq!(decode(&[("topic", "T"), ("queueId", value)]), Err(invalid));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_frame_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..120), header in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = Command::decode(&bytes);
        for kind in 0..2 {
            let mut frame = (header.len() as u32 + 4).to_be_bytes().to_vec();
            frame.extend_from_slice(&[kind, 0, 0, header.len() as u8]);
            frame.extend_from_slice(&header);
            if let Ok(command) = Command::decode(&frame) {
                let _ = command.header::<PullMessageResponseHeader>();
            }
        }
    }

    #[test]
    fn a_frame_with_flipped_bytes_is_a_frame_or_an_error(json: bool, at in 4_usize..120, value: u8) {
        let mut frame = Vec::new();
        write_frame(&mut frame, if json { SerializeType::Json } else { SerializeType::RocketMq }, 1, b"body");
        if let Some(byte) = frame.get_mut(at) {
            *byte = value;
        }
        if let Ok(command) = Command::decode(&frame) {
            prop_assert!(command.ext.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() < frame.len());
        }
    }
}
