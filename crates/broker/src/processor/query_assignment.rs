//! Which queues a consumer gets that leaves it to the broker (`clientRebalance=false`): 400
//! (`broker/processor/QueryAssignmentProcessor.java`). There is no POP here, so all queues are pulled.

use std::sync::Arc;
use std::time::Duration;

use rocketmq_codec::body::{
    MessageModel, MessageQueue, MessageQueueAssignment, MessageRequestMode, QueryAssignmentRequestBody,
    QueryAssignmentResponseBody, TopicRouteData, perm,
};
use rocketmq_codec::header::GetRouteInfoRequestHeader;
use rocketmq_codec::{Command, FrameWriter, Head, json, request_code, response_code};
use rocketmq_remoting::{Client, Connection};

use super::admin_stats::MAX_ANSWERED_QUEUES;
use super::reply::{Handled, Refusal, json_body};
use crate::broker::BrokerState;

/// How long a name server has. A client waits 3 s (`RebalanceImpl#QUERY_ASSIGNMENT_TIMEOUT`), which leaves time for another.
const ROUTE_TIMEOUT: Duration = Duration::from_secs(1);

impl BrokerState {
    /// Shares out the topic's queues on all brokers, so the name servers are asked for them; the answer comes after theirs.
    pub(super) fn query_assignment(&self, connection: &Arc<Connection>, request: &Command<'_>) -> Handled {
        let asked: QueryAssignmentRequestBody = json_body(request)?;
        if asked.message_model.is_none() {
            return Err(Refusal::system_error("the field <messageModel> is null"));
        }
        let mut client_ids = self.consumers.client_ids(&asked.consumer_group);
        client_ids.sort_unstable();
        let (client, config, connection) = (self.client.upgrade(), Arc::clone(&self.config), Arc::clone(connection));
        let (serialize_type, opaque, is_oneway) = (request.serialize_type, request.opaque, request.is_oneway());
        // Requests are served on an event loop, so there is one to go on with.
        tokio::spawn(async move {
            let queues = match client {
                Some(client) => readable_queues(&client, &config.namesrv_addrs, &asked.topic).await,
                None => None,
            };
            let allocated = queues.and_then(|queues| allocate(&asked, &queues, &client_ids));
            let assign = |message_queue| MessageQueueAssignment { message_queue, mode: MessageRequestMode::Pull };
            let body = QueryAssignmentResponseBody {
                message_queue_assignments: allocated.map(|queues| queues.into_iter().map(assign).collect()),
            };
            let mut out = Vec::new();
            let head = Head::response(response_code::SUCCESS, opaque);
            let mut frame = FrameWriter::begin(&mut out, serialize_type, head);
            frame.begin_body().extend_from_slice(&json::to_vec(&body));
            // There are no more queues than a frame holds, as a rule: their names may be long.
            if frame.finish().is_ok() && !is_oneway {
                connection.send(&out);
            }
        });
        Ok(())
    }
}

/// The queues of the topic that may be read, in their order; `None` when no name server has a route of it.
/// (`TopicRouteInfoManager#getTopicSubscribeInfo`, `MQClientInstance#topicRouteData2TopicSubscribeInfo`)
async fn readable_queues(client: &Client, namesrv_addrs: &[String], topic: &str) -> Option<Vec<MessageQueue>> {
    let header = GetRouteInfoRequestHeader { topic: topic.into(), accept_standard_json_only: Some(true) };
    for address in namesrv_addrs {
        let answer = client.invoke(address, request_code::GET_ROUTEINFO_BY_TOPIC, &header, &[], ROUTE_TIMEOUT).await;
        let Some(answer) = answer.ok().filter(|answer| answer.code == response_code::SUCCESS) else { continue };
        let route: TopicRouteData = json::from_slice(&answer.body).ok()?;
        return queues_of(topic, &route);
    }
    None
}

/// `None` for more queues than an answer holds: how many a route names is whatever somebody asked for, and must not become
/// memory.
fn queues_of(topic: &str, route: &TopicRouteData) -> Option<Vec<MessageQueue>> {
    let readable = || route.queue_datas.iter().filter(|data| data.perm & perm::READ != 0);
    if readable().map(|data| i64::from(data.read_queue_nums.max(0))).sum::<i64>() > MAX_ANSWERED_QUEUES {
        return None;
    }
    let mut queues: Vec<_> = readable()
        .flat_map(|data| {
            let broker_name = &data.broker_name;
            (0..data.read_queue_nums).map(|queue_id| MessageQueue {
                topic: topic.to_owned(),
                broker_name: broker_name.clone(),
                queue_id,
            })
        })
        .collect();
    queues.sort_unstable();
    Some(queues)
}

/// The queues of the client that asks, of all `queues`; `client_ids` are those of its group. Both are sorted. `None`: it is to
/// keep those it has.
fn allocate(
    asked: &QueryAssignmentRequestBody,
    queues: &[MessageQueue],
    client_ids: &[String],
) -> Option<Vec<MessageQueue>> {
    if asked.message_model == Some(MessageModel::Broadcasting) {
        return Some(queues.to_vec());
    }
    let index = client_ids.iter().position(|client_id| *client_id == asked.client_id);
    let per_client = queues.len().checked_div(client_ids.len())?;
    match asked.strategy_name.as_str() {
        _ if queues.is_empty() => None,
        // `AllocateMessageQueueAveragely`: runs, of which the first are longer by one if it does not come out even.
        "AVG" => Some(index.map_or_else(Vec::new, |index| {
            let longer = queues.len() % client_ids.len();
            let start = index * per_client + index.min(longer);
            queues[start..start + per_client + usize::from(index < longer)].to_vec()
        })),
        // `AllocateMessageQueueAveragelyByCircle`.
        "AVG_BY_CIRCLE" => Some(
            index.map_or_else(Vec::new, |index| queues.iter().skip(index).step_by(client_ids.len()).cloned().collect()),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rocketmq_codec::body::QueueData;

    use super::*;

    /// The ids of the queues that each client gets, of so many queues.
    fn shares(strategy: &str, queue_count: i32, client_ids: &[&str]) -> Vec<Vec<i32>> {
        let queues: Vec<_> =
            (0..queue_count).map(|queue_id| MessageQueue { queue_id, ..MessageQueue::default() }).collect();
        let members: Vec<_> = client_ids.iter().map(|client_id| (*client_id).to_owned()).collect();
        let share = |client_id: &String| {
            let asked = QueryAssignmentRequestBody {
                client_id: client_id.clone(),
                message_model: Some(MessageModel::Clustering),
                strategy_name: strategy.to_owned(),
                ..QueryAssignmentRequestBody::default()
            };
            allocate(&asked, &queues, &members).unwrap_or_default().iter().map(|queue| queue.queue_id).collect()
        };
        members.iter().map(share).collect()
    }

    #[test]
    fn a_route_with_any_number_of_queues_costs_no_memory() {
        let data = |read_queue_nums| QueueData { perm: perm::READ, read_queue_nums, ..QueueData::default() };
        let route = |queue_datas| TopicRouteData { queue_datas, ..TopicRouteData::default() };
        assert_eq!(queues_of("T", &route(vec![data(2), data(-1)])).map(|queues| queues.len()), Some(2));
        assert_eq!(queues_of("T", &route(vec![data(i32::MAX), data(-i32::MAX)])), None);
    }

    #[test]
    fn queues_are_shared_out_as_apache_does() {
        let none: Vec<i32> = Vec::new();
        assert_eq!(shares("AVG", 8, &["a", "b", "c"]), [vec![0, 1, 2], vec![3, 4, 5], vec![6, 7]]);
        assert_eq!(shares("AVG", 2, &["a", "b", "c"]), [vec![0], vec![1], none.clone()]);
        assert_eq!(shares("AVG_BY_CIRCLE", 5, &["a", "b"]), [vec![0, 2, 4], vec![1, 3]]);
        assert_eq!(shares("AVG_BY_CIRCLE", 1, &["a", "b"]), [vec![0], none.clone()]);
        assert_eq!(shares("MINE", 1, &["a"]), [none]);
    }
}
