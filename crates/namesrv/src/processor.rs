//! Requests to a name server (`namesrv/processor/DefaultRequestProcessor.java`, `ClientRequestProcessor.java`).

use std::sync::Arc;

use parking_lot::RwLock;
use rocketmq_codec::body::{DataVersion, RegisterBrokerBody, TopicConfigSerializeWrapper, TopicRouteData};
use rocketmq_codec::header::{
    BrokerHeartbeatRequestHeader, DeleteTopicFromNamesrvRequestHeader, GetRouteInfoRequestHeader,
    GetTopicsByClusterRequestHeader, QueryDataVersionRequestHeader, QueryDataVersionResponseHeader,
    RegisterBrokerRequestHeader, RegisterBrokerResponseHeader, UnRegisterBrokerRequestHeader,
};
use rocketmq_codec::message::body_crc;
use rocketmq_codec::{Command, json, request_code, response_code};
use rocketmq_env::Clock;
use rocketmq_remoting::{Burst, Connection, Service};

use crate::NameServerConfig;
use crate::reply::Reply;
use crate::route::{BrokerAddrInfo, Registration, RouteTables};

/// Brokers from this version on register with a [`RegisterBrokerBody`] (V3_0_11).
const VERSION_REGISTER_BROKER_BODY: i32 = 37;
/// Clients from this version on get routes in strict JSON (V4_9_4).
const VERSION_STRICT_JSON: i32 = 401;
/// A compressed register body may inflate to so much; a topic takes some 250 bytes of it.
const MAX_REGISTER_BODY_BYTES: usize = 256 * 1024 * 1024;
/// Apache's hint behind the remark of an unknown topic (`common/help/FAQUrl.java`).
const SUGGEST_TODO: &str = "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.";

/// A remark with the response code it goes with.
type Refusal = (i32, String);

/// All state of a name server and how it answers.
pub(crate) struct NameServerService {
    config: NameServerConfig,
    clock: Arc<dyn Clock>,
    tables: RwLock<RouteTables>,
}

impl Service for NameServerService {
    type Session = ();

    fn serve(&self, connection: &Arc<Connection>, _: &mut (), burst: &mut Burst<'_>) {
        while let Some(request) = burst.next_command() {
            if request.is_response() {
                continue;
            }
            let before = burst.reply.len();
            if let Err((code, remark)) = self.process(connection, &request, burst.reply) {
                burst.reply.truncate(before);
                Reply::new(burst.reply).status(&request, code, Some(&remark));
            }
            if request.is_oneway() {
                burst.reply.truncate(before);
            }
        }
    }

    fn disconnected(&self, connection: &Arc<Connection>, _: &str) {
        self.tables.write().connection_ended(connection.id());
    }
}

impl NameServerService {
    pub(crate) fn new(config: NameServerConfig, clock: Arc<dyn Clock>) -> Self {
        Self { config, clock, tables: RwLock::default() }
    }

    /// Forgets brokers that did not register in time and ends their connections (`#scanNotActiveBroker`).
    pub(crate) fn scan_not_active_broker(&self) {
        for connection in self.tables.write().expire(self.clock.uptime()) {
            connection.close("no registration for too long");
        }
    }

    fn process(&self, from: &Arc<Connection>, request: &Command<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
        match request.code {
            request_code::GET_ROUTEINFO_BY_TOPIC => self.get_route_info_by_topic(request, out),
            request_code::REGISTER_BROKER => self.register_broker(from, request, out),
            request_code::UNREGISTER_BROKER => self.unregister_broker(request, out),
            request_code::QUERY_DATA_VERSION => self.query_data_version(request, out),
            request_code::BROKER_HEARTBEAT => self.broker_heartbeat(request, out),
            request_code::GET_BROKER_CLUSTER_INFO => {
                let body = json::to_vec(&self.tables.read().cluster_info());
                answer_with_body(request, out, &body)
            }
            request_code::GET_ALL_TOPIC_LIST_FROM_NAMESERVER => {
                enabled(self.config.enable_all_topic_list)?;
                let body = json::to_vec(&self.tables.read().all_topics());
                answer_with_body(request, out, &body)
            }
            request_code::GET_TOPICS_BY_CLUSTER => {
                enabled(self.config.enable_topic_list)?;
                let header: GetTopicsByClusterRequestHeader<'_> = header(request)?;
                let body = json::to_vec(&self.tables.read().topics_of_cluster(&header.cluster));
                answer_with_body(request, out, &body)
            }
            request_code::GET_SYSTEM_TOPIC_LIST_FROM_NS => {
                let body = json::to_vec(&self.tables.read().system_topics());
                answer_with_body(request, out, &body)
            }
            request_code::DELETE_TOPIC_IN_NAMESRV => self.delete_topic(request, out),
            request_code::REGISTER_TOPIC_IN_NAMESRV => self.register_topic(request, out),
            request_code::WIPE_WRITE_PERM_OF_BROKER => self.change_write_perm(request, out, false),
            request_code::ADD_WRITE_PERM_OF_BROKER => self.change_write_perm(request, out, true),
            code => Err((response_code::REQUEST_CODE_NOT_SUPPORTED, format!(" request type {code} not supported"))),
        }
    }

    fn get_route_info_by_topic(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let header: GetRouteInfoRequestHeader<'_> = header(request)?;
        let Some(route) = self.tables.read().pickup_topic_route_data(&header.topic) else {
            let remark = format!("No topic route info in name server for the topic: {}{SUGGEST_TODO}", header.topic);
            return Err((response_code::TOPIC_NOT_EXIST, remark));
        };
        let strict = request.version >= VERSION_STRICT_JSON || header.accept_standard_json_only == Some(true);
        let body = if strict { json::to_vec_strict(&route) } else { json::to_vec(&route) };
        answer_with_body(request, out, &body)
    }

    fn register_broker(&self, from: &Arc<Connection>, request: &Command<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let header: RegisterBrokerRequestHeader<'_> = header(request)?;
        if header.body_crc32 != 0 && header.body_crc32 != body_crc(request.body) {
            return Err((response_code::SYSTEM_ERROR, "crc32 not match".to_owned()));
        }
        let body = decode_register_body(request, header.compressed)?;
        let registration = Registration {
            cluster_name: &header.cluster_name,
            broker_addr: &header.broker_addr,
            broker_name: &header.broker_name,
            broker_id: header.broker_id,
            ha_server_addr: &header.ha_server_addr,
            zone_name: header.zone_name.as_deref(),
            timeout: header.heartbeat_timeout_millis,
            enable_acting_master: header.enable_acting_master,
            body,
        };
        let registered = self.tables.write().register_broker(registration, from, self.clock.uptime());
        let Some(master) = registered else {
            return Err((response_code::SYSTEM_ERROR, "register broker failed".to_owned()));
        };
        let answer = RegisterBrokerResponseHeader {
            ha_server_addr: master.ha_server_addr.map(Into::into),
            master_addr: master.master_addr.map(Into::into),
        };
        Reply::new(out).header(request, &answer);
        Ok(())
    }

    fn unregister_broker(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let header: UnRegisterBrokerRequestHeader<'_> = header(request)?;
        let address = BrokerAddrInfo::new(&header.cluster_name, &header.broker_addr);
        self.tables.write().unregister_broker(&address, &header.broker_name);
        answer(request, out)
    }

    fn query_data_version(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let header: QueryDataVersionRequestHeader<'_> = header(request)?;
        let asked: DataVersion = json_body(request)?;
        let address = BrokerAddrInfo::new(&header.cluster_name, &header.broker_addr);
        let known = self.tables.write().touch_broker(&address, self.clock.uptime());
        let changed = known.as_ref() != Some(&asked);
        Reply::new(out).full(request, |frame| {
            frame.header(&QueryDataVersionResponseHeader { changed });
            if let Some(known) = known {
                frame.begin_body().extend_from_slice(&json::to_vec(&known));
            }
        });
        Ok(())
    }

    fn broker_heartbeat(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let header: BrokerHeartbeatRequestHeader<'_> = header(request)?;
        let address = BrokerAddrInfo::new(&header.cluster_name, &header.broker_addr);
        self.tables.write().touch_broker(&address, self.clock.uptime());
        answer(request, out)
    }

    fn delete_topic(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let header: DeleteTopicFromNamesrvRequestHeader<'_> = header(request)?;
        let cluster = header.cluster_name.as_deref().filter(|cluster| !cluster.is_empty());
        self.tables.write().delete_topic(&header.topic, cluster);
        answer(request, out)
    }

    fn register_topic(&self, request: &Command<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let topic = field(request, "topic")?;
        let route: TopicRouteData = json_body(request)?;
        self.tables.write().register_topic(topic, route.queue_datas);
        answer(request, out)
    }

    fn change_write_perm(&self, request: &Command<'_>, out: &mut Vec<u8>, add: bool) -> Result<(), Refusal> {
        let broker_name = field(request, "brokerName")?;
        let count = self.tables.write().change_write_perm(broker_name, add);
        let name = if add { "addTopicCount" } else { "wipeTopicCount" };
        Reply::new(out).full(request, |frame| frame.ext_i32(name, count));
        Ok(())
    }
}

/// The body of 103 in the form that belongs to the broker's version.
fn decode_register_body(request: &Command<'_>, compressed: bool) -> Result<RegisterBrokerBody, Refusal> {
    if request.body.is_empty() {
        return Ok(RegisterBrokerBody::default());
    }
    if request.version >= VERSION_REGISTER_BROKER_BODY {
        return RegisterBrokerBody::decode(request.body, compressed, request.version, MAX_REGISTER_BODY_BYTES)
            .map_err(system_error);
    }
    let topic_config_serialize_wrapper: TopicConfigSerializeWrapper = json_body(request)?;
    Ok(RegisterBrokerBody { topic_config_serialize_wrapper, ..RegisterBrokerBody::default() })
}

fn system_error(error: impl std::fmt::Display) -> Refusal {
    (response_code::SYSTEM_ERROR, error.to_string())
}

fn header<'c, H: rocketmq_codec::Header<'c>>(request: &'c Command<'_>) -> Result<H, Refusal> {
    request.header().map_err(system_error)
}

fn field<'c>(request: &'c Command<'_>, name: &str) -> Result<&'c str, Refusal> {
    request.ext.get(name).ok_or_else(|| system_error(format_args!("the custom field <{name}> is null")))
}

fn json_body<T: serde::de::DeserializeOwned>(request: &Command<'_>) -> Result<T, Refusal> {
    json::from_slice(request.body).map_err(system_error)
}

fn enabled(enabled: bool) -> Result<(), Refusal> {
    if enabled { Ok(()) } else { Err((response_code::SYSTEM_ERROR, "disable".to_owned())) }
}

fn answer(request: &Command<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    Reply::new(out).status(request, response_code::SUCCESS, None);
    Ok(())
}

fn answer_with_body(request: &Command<'_>, out: &mut Vec<u8>, body: &[u8]) -> Result<(), Refusal> {
    Reply::new(out).body(request, body);
    Ok(())
}
