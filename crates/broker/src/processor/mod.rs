//! Requests to the broker: one file a family.

mod admin;
mod admin_delete;
mod admin_stats;
mod client_manage;
mod offset;
pub(crate) mod properties;
pub(crate) mod pull;
mod query;
mod query_assignment;
mod reply;
mod send;
mod send_back;
mod send_check;
mod send_reply;
pub(crate) mod session;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rocketmq_codec::{Command, request_code, response_code};
use rocketmq_remoting::{Burst, Connection, Service};

use crate::broker::BrokerState;
use crate::event::BrokerEvent;
use reply::{Handled, Refusal};
use session::Session;

impl Service for BrokerState {
    type Session = Session;

    fn serve(&self, connection: &Arc<Connection>, session: &mut Session, burst: &mut Burst<'_>) {
        while let Some(request) = burst.next_command() {
            if request.is_response() {
                continue;
            }
            let is_send = matches!(
                request.code,
                request_code::SEND_MESSAGE_V2 | request_code::SEND_BATCH_MESSAGE | request_code::SEND_MESSAGE
            );
            if is_send {
                let handled = self
                    .refuse_when_stopping()
                    .and_then(|()| self.send_message(connection, session, &request, burst.reply));
                if let Err(refusal) = handled
                    && !request.is_oneway()
                {
                    self.write_send_refusal(&refusal, request.serialize_type, request.opaque, burst.reply);
                }
                continue;
            }
            // Whatever else is asked sees what was sent before it.
            self.store_batch(connection, session, burst.reply);
            let before = burst.reply.len();
            if let Err(refusal) = self.process(connection, session, &request, burst.reply) {
                burst.reply.truncate(before);
                refusal.write(burst.reply, request.serialize_type, request.opaque);
            }
            if request.is_oneway() {
                burst.reply.truncate(before);
            }
        }
        self.store_batch(connection, session, burst.reply);
    }

    fn after_burst(&self, _: &Arc<Connection>, session: &mut Session) {
        let woken = self.holds.take_woken();
        if woken.is_empty() {
            return;
        }
        let mut out = Vec::new();
        for held in woken {
            self.answer_held_pull(held, &mut session.records, &mut out);
        }
    }

    fn disconnected(&self, connection: &Arc<Connection>, reason: &str) {
        self.holds.disconnected(connection);
        self.forget_clients(connection);
        if reason.starts_with("malformed frame") {
            let peer = connection.peer().to_string();
            self.config.events.emit(BrokerEvent::ConnectionRefused { peer, cause: reason.to_owned() });
        }
    }
}

impl BrokerState {
    fn refuse_when_stopping(&self) -> Handled {
        if self.stopping.load(Ordering::Acquire) {
            return Err(Refusal::new(response_code::SERVICE_NOT_AVAILABLE, "the broker is shutting down"));
        }
        Ok(())
    }

    /// Every request but a send.
    fn process(
        &self,
        connection: &Arc<Connection>,
        session: &mut Session,
        request: &Command<'_>,
        out: &mut Vec<u8>,
    ) -> Handled {
        match request.code {
            request_code::PULL_MESSAGE | request_code::LITE_PULL_MESSAGE => {
                self.refuse_when_stopping()?;
                self.pull_message(connection, &mut session.records, request, out)
            }
            request_code::CONSUMER_SEND_MSG_BACK => {
                self.refuse_when_stopping()?;
                self.consumer_send_msg_back(connection, request, out)
            }
            request_code::QUERY_CONSUMER_OFFSET => self.query_consumer_offset(request, out),
            request_code::UPDATE_CONSUMER_OFFSET => self.update_consumer_offset(request, out),
            request_code::SEARCH_OFFSET_BY_TIMESTAMP => self.search_offset_by_timestamp(request, out),
            request_code::GET_MAX_OFFSET => self.get_max_offset(request, out),
            request_code::GET_MIN_OFFSET => self.get_min_offset(request, out),
            request_code::GET_EARLIEST_MSG_STORETIME => self.get_earliest_msg_storetime(request, out),
            request_code::QUERY_MESSAGE => self.query_message(request, out),
            request_code::VIEW_MESSAGE_BY_ID => self.view_message_by_id(request, out),
            request_code::HEART_BEAT => self.heart_beat(connection, request, out),
            request_code::UNREGISTER_CLIENT => self.unregister_client(connection, request, out),
            request_code::GET_CONSUMER_LIST_BY_GROUP => self.get_consumer_list_by_group(request, out),
            request_code::CHECK_CLIENT_CONFIG => self.check_client_config(request, out),
            request_code::QUERY_ASSIGNMENT => self.query_assignment(connection, request),
            request_code::LOCK_BATCH_MQ => self.lock_batch_mq(request, out),
            request_code::UNLOCK_BATCH_MQ => self.unlock_batch_mq(request, out),
            _ => self.process_admin(connection, request, out),
        }
    }
}
