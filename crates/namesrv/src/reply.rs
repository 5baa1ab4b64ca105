//! Answers, in the encoding of the request.

use rocketmq_codec::{Command, EncodeHeader, FrameError, FrameWriter, Head, response_code};

/// What a request is answered with.
pub(crate) struct Reply<'o> {
    out: &'o mut Vec<u8>,
}

impl<'o> Reply<'o> {
    /// Answers are appended to `out`.
    pub(crate) fn new(out: &'o mut Vec<u8>) -> Self {
        Self { out }
    }

    /// A code with a remark for people, nothing else.
    pub(crate) fn status(self, request: &Command<'_>, code: i32, remark: Option<&str>) {
        let head = Head { remark, ..Head::response(code, request.opaque) };
        // Without fields and body this is far below every limit, so there is nothing that could fail.
        let _ = FrameWriter::begin(self.out, request.serialize_type, head).finish();
    }

    /// Success with a body.
    pub(crate) fn body(self, request: &Command<'_>, body: &[u8]) {
        self.full(request, |frame| frame.begin_body().extend_from_slice(body));
    }

    /// Success with header fields.
    pub(crate) fn header(self, request: &Command<'_>, header: &impl EncodeHeader) {
        self.full(request, |frame| frame.header(header));
    }

    /// Success with whatever `fill` adds.
    pub(crate) fn full(self, request: &Command<'_>, fill: impl FnOnce(&mut FrameWriter<'_>)) {
        let finished: Result<(), FrameError> = {
            let head = Head::response(response_code::SUCCESS, request.opaque);
            let mut frame = FrameWriter::begin(self.out, request.serialize_type, head);
            fill(&mut frame);
            frame.finish()
        };
        if let Err(error) = finished {
            self.status(request, response_code::SYSTEM_ERROR, Some(&error.to_string()));
        }
    }
}
