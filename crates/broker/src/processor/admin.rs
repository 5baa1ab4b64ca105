//! Topics and groups for administrators (`broker/processor/AdminBrokerProcessor.java`): 17, 21, 26, 28, 43, 200, 201,
//! 202, 203, 204, 207, 208, 300, 351, 352.

use std::sync::Arc;

use rocketmq_codec::body::{
    ConsumerOffsetSerializeWrapper, SubscriptionGroupConfig, TopicConfig, TopicConfigSerializeWrapper, TopicFilterType,
};
use rocketmq_codec::header::{CreateTopicRequestHeader, GetTopicConfigRequestHeader};
use rocketmq_codec::{Command, json, request_code, response_code};
use rocketmq_remoting::Connection;

use super::reply::{
    Handled, Refusal, field, header, json_body, succeed, succeed_empty, succeed_when, succeed_with_json,
};
use crate::attributes;
use crate::broker::BrokerState;
use crate::names;

impl BrokerState {
    pub(super) fn process_admin(
        &self,
        connection: &Arc<Connection>,
        request: &Command<'_>,
        out: &mut Vec<u8>,
    ) -> Handled {
        match request.code {
            request_code::UPDATE_AND_CREATE_TOPIC => self.update_and_create_topic(connection, request, out),
            request_code::DELETE_TOPIC_IN_BROKER => self.delete_topic(connection, request),
            request_code::CLEAN_UNUSED_TOPIC => self.clean_unused_topic(connection, request),
            request_code::CLEAN_EXPIRED_CONSUMEQUEUE => self.clean_expired_consume_queue(connection, request),
            request_code::DELETE_EXPIRED_COMMITLOG => self.delete_expired_commit_log(request, out),
            request_code::GET_ALL_TOPIC_CONFIG => self.get_all_topic_config(request, out),
            request_code::GET_TOPIC_CONFIG => self.get_topic_config(request, out),
            request_code::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP => {
                self.update_and_create_subscription_group(connection, request, out)
            }
            request_code::DELETE_SUBSCRIPTIONGROUP => self.delete_subscription_group(connection, request, out),
            request_code::GET_ALL_SUBSCRIPTIONGROUP_CONFIG => self.get_all_subscription_group_config(request, out),
            request_code::GET_SUBSCRIPTIONGROUP_CONFIG => self.get_subscription_group_config(request, out),
            request_code::GET_ALL_CONSUMER_OFFSET => self.get_all_consumer_offset(request, out),
            request_code::GET_BROKER_CONFIG => self.get_broker_config(request, out),
            request_code::GET_BROKER_RUNTIME_INFO => self.get_broker_runtime_info(request, out),
            request_code::GET_TOPIC_STATS_INFO => self.get_topic_stats_info(request, out),
            request_code::GET_CONSUME_STATS => self.get_consume_stats(request, out),
            request_code::GET_CONSUMER_CONNECTION_LIST => self.get_consumer_connection_list(request, out),
            request_code::GET_PRODUCER_CONNECTION_LIST => self.get_producer_connection_list(request, out),
            request_code::QUERY_TOPIC_CONSUME_BY_WHO => self.query_topic_consume_by_who(request, out),
            code => {
                let remark = format!(" request type {code} not supported");
                Err(Refusal::new(response_code::REQUEST_CODE_NOT_SUPPORTED, remark))
            }
        }
    }

    /// The answer is sent when the topic is on disk and the name servers have been told, so that who asked finds the route.
    fn update_and_create_topic(
        &self,
        connection: &Arc<Connection>,
        request: &Command<'_>,
        out: &mut Vec<u8>,
    ) -> Handled {
        let asked: CreateTopicRequestHeader<'_> = header(request)?;
        let invalid = |remark: String| Refusal::new(response_code::INVALID_PARAMETER, remark);
        names::validate_topic(&asked.topic).map_err(invalid)?;
        if self.config.validate_system_topic_when_update_topic && self.topics.is_system_topic(&asked.topic) {
            return Err(invalid(format!("The topic[{}] is conflict with system topic.", asked.topic)));
        }
        let text = asked.attributes.as_deref().unwrap_or_default();
        let attributes = attributes::parse(text).map_err(Refusal::system_error)?;
        if attributes.get("+message.type").is_some_and(|kind| kind == "MIXED") {
            return Err(invalid("MIXED message type is not supported.".to_owned()));
        }
        let topic_filter_type = match &*asked.topic_filter_type {
            "SINGLE_TAG" => TopicFilterType::SingleTag,
            "MULTI_TAG" => TopicFilterType::MultiTag,
            other => return Err(Refusal::system_error(format_args!("No enum constant TopicFilterType.{other}"))),
        };
        if asked.read_queue_nums < 0 || asked.write_queue_nums < 0 {
            return Err(invalid("a topic cannot have a negative number of queues".to_owned()));
        }
        let changed = self
            .topics
            .update(TopicConfig {
                attributes,
                order: asked.order,
                perm: asked.perm,
                read_queue_nums: asked.read_queue_nums,
                topic_filter_type: Some(topic_filter_type),
                topic_name: asked.topic.clone().into_owned(),
                topic_sys_flag: asked.topic_sys_flag.unwrap_or_default(),
                write_queue_nums: asked.write_queue_nums,
            })
            .map_err(Refusal::system_error)?;
        if !changed || request.is_oneway() {
            return succeed_empty(request, out);
        }
        let registration = self.registration.clone();
        let told = |then| self.topics.when_written(Box::new(move || registration.topics_changed_then(then)));
        succeed_when(told, connection, request, out)
    }

    fn get_all_topic_config(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Handled {
        let (topic_config_table, data_version) = self.topics.snapshot();
        let count = topic_config_table.len();
        let body = TopicConfigSerializeWrapper {
            data_version,
            mapping_data_version: Some(Default::default()),
            topic_config_table,
            topic_queue_mapping_detail_map: Some(Default::default()),
            topic_queue_mapping_info_map: Some(Default::default()),
        };
        succeed(request, out, |frame| {
            frame.ext_i64("totalTopicNum", count as i64);
            frame.begin_body().extend_from_slice(&json::to_vec(&body));
        })
    }

    fn get_topic_config(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Handled {
        let asked: GetTopicConfigRequestHeader<'_> = header(request)?;
        let Some(topic) = self.topics.select(&asked.topic) else {
            let remark = format!("No topic in this broker. topic: {}", asked.topic);
            return Err(Refusal::new(response_code::TOPIC_NOT_EXIST, remark));
        };
        succeed_with_json(request, out, topic.config())
    }

    /// The answer is sent when the group is on disk.
    fn update_and_create_subscription_group(
        &self,
        connection: &Arc<Connection>,
        request: &Command<'_>,
        out: &mut Vec<u8>,
    ) -> Handled {
        let config: SubscriptionGroupConfig = json_body(request)?;
        names::validate_group(&config.group_name)
            .map_err(|remark| Refusal::new(response_code::INVALID_PARAMETER, remark))?;
        self.groups.update(config).map_err(Refusal::system_error)?;
        succeed_when(|then| self.groups.when_written(then), connection, request, out)
    }

    fn delete_subscription_group(
        &self,
        connection: &Arc<Connection>,
        request: &Command<'_>,
        out: &mut Vec<u8>,
    ) -> Handled {
        let group = field(request, "groupName")?;
        self.groups.delete(group);
        if request.ext.get("cleanOffset") == Some("true") {
            self.offsets.clean_group(group);
        }
        succeed_when(|then| self.groups.when_written(then), connection, request, out)
    }

    fn get_all_subscription_group_config(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Handled {
        let body = self.groups.wrapper();
        succeed(request, out, |frame| {
            frame.ext_i64("totalGroupNum", body.subscription_group_table.len() as i64);
            frame.begin_body().extend_from_slice(&json::to_vec(&body));
        })
    }

    fn get_subscription_group_config(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Handled {
        let group = field(request, "group")?;
        let Some(config) = self.groups.get(group) else {
            let remark = format!("No group in this broker. group: {group}");
            return Err(Refusal::new(response_code::SUBSCRIPTION_GROUP_NOT_EXIST, remark));
        };
        succeed_with_json(request, out, &*config)
    }

    fn get_all_consumer_offset(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Handled {
        let (offset_table, data_version) = self.offsets.snapshot();
        let body = ConsumerOffsetSerializeWrapper { data_version: Some(data_version), offset_table };
        succeed_with_json(request, out, &body)
    }
}
