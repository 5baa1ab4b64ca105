//! Answers, in the encoding of the request.

use std::fmt::Display;
use std::sync::Arc;

use rocketmq_codec::header::Header;
use rocketmq_codec::{Command, EncodeHeader, FrameWriter, Head, SerializeType, json, response_code};
use rocketmq_remoting::Connection;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::persist::Then;

/// An error answer.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// Response code.
    pub(crate) code: i32,
    /// Explanation for people.
    pub(crate) remark: String,
    /// Why a pull is forbidden (`ForbiddenType.java`).
    pub(crate) forbidden_type: Option<i32>,
}

/// How a request was dealt with: answered in the output buffer or by others later, or to be refused.
pub(crate) type Handled = Result<(), Refusal>;

impl Refusal {
    /// A refusal with that code and remark.
    pub(crate) fn new(code: i32, remark: impl Into<String>) -> Self {
        Self { code, remark: remark.into(), forbidden_type: None }
    }

    /// SYSTEM_ERROR, for what Apache's broker answers with an exception's text.
    pub(crate) fn system_error(error: impl Display) -> Self {
        Self::new(response_code::SYSTEM_ERROR, error.to_string())
    }

    /// Appends it as the answer to the request with that opaque.
    pub(crate) fn write(&self, out: &mut Vec<u8>, serialize_type: SerializeType, opaque: i32) {
        let head = Head { remark: Some(&self.remark), ..Head::response(self.code, opaque) };
        let mut frame = FrameWriter::begin(out, serialize_type, head);
        if let Some(forbidden_type) = self.forbidden_type {
            frame.ext_i32("forbiddenType", forbidden_type);
        }
        // A remark is far below the frame limit, so there is nothing that could fail.
        let _ = frame.finish();
    }
}

/// Answers SUCCESS with whatever `fill` adds.
pub(crate) fn succeed(request: &Command<'_>, out: &mut Vec<u8>, fill: impl FnOnce(&mut FrameWriter<'_>)) -> Handled {
    answer(request, out, Head::response(response_code::SUCCESS, request.opaque), fill)
}

/// Answers with whatever `fill` adds.
pub(crate) fn answer(
    request: &Command<'_>,
    out: &mut Vec<u8>,
    head: Head<'_>,
    fill: impl FnOnce(&mut FrameWriter<'_>),
) -> Handled {
    let mut frame = FrameWriter::begin(out, request.serialize_type, head);
    fill(&mut frame);
    frame.finish().map_err(Refusal::system_error)
}

/// Answers SUCCESS with nothing.
pub(crate) fn succeed_empty(request: &Command<'_>, out: &mut Vec<u8>) -> Handled {
    succeed(request, out, |_| {})
}

/// Answers SUCCESS with nothing as soon as `when` runs what it is given.
pub(crate) fn succeed_when(
    when: impl FnOnce(Then),
    connection: &Arc<Connection>,
    request: &Command<'_>,
    out: &mut Vec<u8>,
) -> Handled {
    if request.is_oneway() {
        return succeed_empty(request, out);
    }
    let mut answer = Vec::new();
    succeed_empty(request, &mut answer)?;
    let connection = Arc::clone(connection);
    when(Box::new(move || connection.send(&answer)));
    Ok(())
}

/// Answers SUCCESS with header fields.
pub(crate) fn succeed_with_header(request: &Command<'_>, out: &mut Vec<u8>, header: &impl EncodeHeader) -> Handled {
    succeed(request, out, |frame| frame.header(header))
}

/// Answers SUCCESS with a JSON body.
pub(crate) fn succeed_with_json(request: &Command<'_>, out: &mut Vec<u8>, body: &impl Serialize) -> Handled {
    succeed(request, out, |frame| frame.begin_body().extend_from_slice(&json::to_vec(body)))
}

/// The typed header of a request.
pub(crate) fn header<'c, H: Header<'c>>(request: &'c Command<'_>) -> Result<H, Refusal> {
    request.header().map_err(Refusal::system_error)
}

/// A header field that must be there, of a header too small for a type.
pub(crate) fn field<'c>(request: &'c Command<'_>, name: &str) -> Result<&'c str, Refusal> {
    request.ext.get(name).ok_or_else(|| Refusal::system_error(format_args!("the custom field <{name}> is null")))
}

/// The JSON body of a request.
pub(crate) fn json_body<T: DeserializeOwned>(request: &Command<'_>) -> Result<T, Refusal> {
    json::from_slice(request.body).map_err(Refusal::system_error)
}
