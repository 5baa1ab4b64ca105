//! The numbers of the protocol: what is asked, how it is answered, who speaks.

/// Request codes (`RequestCode.java`).
pub mod request_code {
    /// Request code 10: send message.
    pub const SEND_MESSAGE: i32 = 10;
    /// Request code 11: pull message.
    pub const PULL_MESSAGE: i32 = 11;
    /// Request code 12: query message.
    pub const QUERY_MESSAGE: i32 = 12;
    /// Request code 13: query broker offset.
    pub const QUERY_BROKER_OFFSET: i32 = 13;
    /// Request code 14: query consumer offset.
    pub const QUERY_CONSUMER_OFFSET: i32 = 14;
    /// Request code 15: update consumer offset.
    pub const UPDATE_CONSUMER_OFFSET: i32 = 15;
    /// Request code 17: update and create topic.
    pub const UPDATE_AND_CREATE_TOPIC: i32 = 17;
    /// Request code 18: update and create topic list.
    pub const UPDATE_AND_CREATE_TOPIC_LIST: i32 = 18;
    /// Request code 21: get all topic config.
    pub const GET_ALL_TOPIC_CONFIG: i32 = 21;
    /// Request code 22: get topic config list.
    pub const GET_TOPIC_CONFIG_LIST: i32 = 22;
    /// Request code 23: get topic name list.
    pub const GET_TOPIC_NAME_LIST: i32 = 23;
    /// Request code 25: update broker config.
    pub const UPDATE_BROKER_CONFIG: i32 = 25;
    /// Request code 26: get broker config.
    pub const GET_BROKER_CONFIG: i32 = 26;
    /// Request code 27: trigger delete files.
    pub const TRIGGER_DELETE_FILES: i32 = 27;
    /// Request code 28: get broker runtime info.
    pub const GET_BROKER_RUNTIME_INFO: i32 = 28;
    /// Request code 29: search offset by timestamp.
    pub const SEARCH_OFFSET_BY_TIMESTAMP: i32 = 29;
    /// Request code 30: get max offset.
    pub const GET_MAX_OFFSET: i32 = 30;
    /// Request code 31: get min offset.
    pub const GET_MIN_OFFSET: i32 = 31;
    /// Request code 32: get earliest msg storetime.
    pub const GET_EARLIEST_MSG_STORETIME: i32 = 32;
    /// Request code 33: view message by id.
    pub const VIEW_MESSAGE_BY_ID: i32 = 33;
    /// Request code 34: heart beat.
    pub const HEART_BEAT: i32 = 34;
    /// Request code 35: unregister client.
    pub const UNREGISTER_CLIENT: i32 = 35;
    /// Request code 36: consumer send msg back.
    pub const CONSUMER_SEND_MSG_BACK: i32 = 36;
    /// Request code 37: end transaction.
    pub const END_TRANSACTION: i32 = 37;
    /// Request code 38: get consumer list by group.
    pub const GET_CONSUMER_LIST_BY_GROUP: i32 = 38;
    /// Request code 39: check transaction state.
    pub const CHECK_TRANSACTION_STATE: i32 = 39;
    /// Request code 40: notify consumer ids changed.
    pub const NOTIFY_CONSUMER_IDS_CHANGED: i32 = 40;
    /// Request code 41: lock batch mq.
    pub const LOCK_BATCH_MQ: i32 = 41;
    /// Request code 42: unlock batch mq.
    pub const UNLOCK_BATCH_MQ: i32 = 42;
    /// Request code 43: get all consumer offset.
    pub const GET_ALL_CONSUMER_OFFSET: i32 = 43;
    /// Request code 45: get all delay offset.
    pub const GET_ALL_DELAY_OFFSET: i32 = 45;
    /// Request code 46: check client config.
    pub const CHECK_CLIENT_CONFIG: i32 = 46;
    /// Request code 47: get client config.
    pub const GET_CLIENT_CONFIG: i32 = 47;
    /// Request code 60: get timer check point.
    pub const GET_TIMER_CHECK_POINT: i32 = 60;
    /// Request code 61: get timer metrics.
    pub const GET_TIMER_METRICS: i32 = 61;
    /// Request code 200050: pop message.
    pub const POP_MESSAGE: i32 = 200_050;
    /// Request code 200051: ack message.
    pub const ACK_MESSAGE: i32 = 200_051;
    /// Request code 200151: batch ack message.
    pub const BATCH_ACK_MESSAGE: i32 = 200_151;
    /// Request code 200052: peek message.
    pub const PEEK_MESSAGE: i32 = 200_052;
    /// Request code 200053: change message invisibletime.
    pub const CHANGE_MESSAGE_INVISIBLETIME: i32 = 200_053;
    /// Request code 200054: notification.
    pub const NOTIFICATION: i32 = 200_054;
    /// Request code 200055: polling info.
    pub const POLLING_INFO: i32 = 200_055;
    /// Request code 200056: pop rollback.
    pub const POP_ROLLBACK: i32 = 200_056;
    /// Request code 200070: pop lite message.
    pub const POP_LITE_MESSAGE: i32 = 200_070;
    /// Request code 200071: lite subscription ctl.
    pub const LITE_SUBSCRIPTION_CTL: i32 = 200_071;
    /// Request code 200072: ack lite message.
    pub const ACK_LITE_MESSAGE: i32 = 200_072;
    /// Request code 200073: notify unsubscribe lite.
    pub const NOTIFY_UNSUBSCRIBE_LITE: i32 = 200_073;
    /// Request code 200074: get broker lite info.
    pub const GET_BROKER_LITE_INFO: i32 = 200_074;
    /// Request code 200075: get parent topic info.
    pub const GET_PARENT_TOPIC_INFO: i32 = 200_075;
    /// Request code 200076: get lite topic info.
    pub const GET_LITE_TOPIC_INFO: i32 = 200_076;
    /// Request code 200077: get lite client info.
    pub const GET_LITE_CLIENT_INFO: i32 = 200_077;
    /// Request code 200078: get lite group info.
    pub const GET_LITE_GROUP_INFO: i32 = 200_078;
    /// Request code 200079: trigger lite dispatch.
    pub const TRIGGER_LITE_DISPATCH: i32 = 200_079;
    /// Request code 100: put kv config.
    pub const PUT_KV_CONFIG: i32 = 100;
    /// Request code 101: get kv config.
    pub const GET_KV_CONFIG: i32 = 101;
    /// Request code 102: delete kv config.
    pub const DELETE_KV_CONFIG: i32 = 102;
    /// Request code 103: register broker.
    pub const REGISTER_BROKER: i32 = 103;
    /// Request code 104: unregister broker.
    pub const UNREGISTER_BROKER: i32 = 104;
    /// Request code 105: get routeinfo by topic.
    pub const GET_ROUTEINFO_BY_TOPIC: i32 = 105;
    /// Request code 106: get broker cluster info.
    pub const GET_BROKER_CLUSTER_INFO: i32 = 106;
    /// Request code 200: update and create subscriptiongroup.
    pub const UPDATE_AND_CREATE_SUBSCRIPTIONGROUP: i32 = 200;
    /// Request code 201: get all subscriptiongroup config.
    pub const GET_ALL_SUBSCRIPTIONGROUP_CONFIG: i32 = 201;
    /// Request code 202: get topic stats info.
    pub const GET_TOPIC_STATS_INFO: i32 = 202;
    /// Request code 203: get consumer connection list.
    pub const GET_CONSUMER_CONNECTION_LIST: i32 = 203;
    /// Request code 204: get producer connection list.
    pub const GET_PRODUCER_CONNECTION_LIST: i32 = 204;
    /// Request code 205: wipe write perm of broker.
    pub const WIPE_WRITE_PERM_OF_BROKER: i32 = 205;
    /// Request code 206: get all topic list from nameserver.
    pub const GET_ALL_TOPIC_LIST_FROM_NAMESERVER: i32 = 206;
    /// Request code 207: delete subscriptiongroup.
    pub const DELETE_SUBSCRIPTIONGROUP: i32 = 207;
    /// Request code 208: get consume stats.
    pub const GET_CONSUME_STATS: i32 = 208;
    /// Request code 209: suspend consumer.
    pub const SUSPEND_CONSUMER: i32 = 209;
    /// Request code 210: resume consumer.
    pub const RESUME_CONSUMER: i32 = 210;
    /// Request code 211: reset consumer offset in consumer.
    pub const RESET_CONSUMER_OFFSET_IN_CONSUMER: i32 = 211;
    /// Request code 212: reset consumer offset in broker.
    pub const RESET_CONSUMER_OFFSET_IN_BROKER: i32 = 212;
    /// Request code 213: adjust consumer thread pool.
    pub const ADJUST_CONSUMER_THREAD_POOL: i32 = 213;
    /// Request code 214: who consume the message.
    pub const WHO_CONSUME_THE_MESSAGE: i32 = 214;
    /// Request code 215: delete topic in broker.
    pub const DELETE_TOPIC_IN_BROKER: i32 = 215;
    /// Request code 216: delete topic in namesrv.
    pub const DELETE_TOPIC_IN_NAMESRV: i32 = 216;
    /// Request code 217: register topic in namesrv.
    pub const REGISTER_TOPIC_IN_NAMESRV: i32 = 217;
    /// Request code 219: get kvlist by namespace.
    pub const GET_KVLIST_BY_NAMESPACE: i32 = 219;
    /// Request code 220: reset consumer client offset.
    pub const RESET_CONSUMER_CLIENT_OFFSET: i32 = 220;
    /// Request code 221: get consumer status from client.
    pub const GET_CONSUMER_STATUS_FROM_CLIENT: i32 = 221;
    /// Request code 222: invoke broker to reset offset.
    pub const INVOKE_BROKER_TO_RESET_OFFSET: i32 = 222;
    /// Request code 223: invoke broker to get consumer status.
    pub const INVOKE_BROKER_TO_GET_CONSUMER_STATUS: i32 = 223;
    /// Request code 300: query topic consume by who.
    pub const QUERY_TOPIC_CONSUME_BY_WHO: i32 = 300;
    /// Request code 224: get topics by cluster.
    pub const GET_TOPICS_BY_CLUSTER: i32 = 224;
    /// Request code 225: update and create subscriptiongroup list.
    pub const UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST: i32 = 225;
    /// Request code 343: query topics by consumer.
    pub const QUERY_TOPICS_BY_CONSUMER: i32 = 343;
    /// Request code 345: query subscription by consumer.
    pub const QUERY_SUBSCRIPTION_BY_CONSUMER: i32 = 345;
    /// Request code 301: register filter server.
    pub const REGISTER_FILTER_SERVER: i32 = 301;
    /// Request code 302: register message filter class.
    pub const REGISTER_MESSAGE_FILTER_CLASS: i32 = 302;
    /// Request code 303: query consume time span.
    pub const QUERY_CONSUME_TIME_SPAN: i32 = 303;
    /// Request code 304: get system topic list from ns.
    pub const GET_SYSTEM_TOPIC_LIST_FROM_NS: i32 = 304;
    /// Request code 305: get system topic list from broker.
    pub const GET_SYSTEM_TOPIC_LIST_FROM_BROKER: i32 = 305;
    /// Request code 306: clean expired consumequeue.
    pub const CLEAN_EXPIRED_CONSUMEQUEUE: i32 = 306;
    /// Request code 307: get consumer running info.
    pub const GET_CONSUMER_RUNNING_INFO: i32 = 307;
    /// Request code 308: query correction offset.
    pub const QUERY_CORRECTION_OFFSET: i32 = 308;
    /// Request code 309: consume message directly.
    pub const CONSUME_MESSAGE_DIRECTLY: i32 = 309;
    /// Request code 310: send message v2.
    pub const SEND_MESSAGE_V2: i32 = 310;
    /// Request code 311: get unit topic list.
    pub const GET_UNIT_TOPIC_LIST: i32 = 311;
    /// Request code 312: get has unit sub topic list.
    pub const GET_HAS_UNIT_SUB_TOPIC_LIST: i32 = 312;
    /// Request code 313: get has unit sub ununit topic list.
    pub const GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST: i32 = 313;
    /// Request code 314: clone group offset.
    pub const CLONE_GROUP_OFFSET: i32 = 314;
    /// Request code 315: view broker stats data.
    pub const VIEW_BROKER_STATS_DATA: i32 = 315;
    /// Request code 316: clean unused topic.
    pub const CLEAN_UNUSED_TOPIC: i32 = 316;
    /// Request code 317: get broker consume stats.
    pub const GET_BROKER_CONSUME_STATS: i32 = 317;
    /// Request code 318: update namesrv config.
    pub const UPDATE_NAMESRV_CONFIG: i32 = 318;
    /// Request code 319: get namesrv config.
    pub const GET_NAMESRV_CONFIG: i32 = 319;
    /// Request code 320: send batch message.
    pub const SEND_BATCH_MESSAGE: i32 = 320;
    /// Request code 321: query consume queue.
    pub const QUERY_CONSUME_QUEUE: i32 = 321;
    /// Request code 322: query data version.
    pub const QUERY_DATA_VERSION: i32 = 322;
    /// Request code 323: resume check half message.
    pub const RESUME_CHECK_HALF_MESSAGE: i32 = 323;
    /// Request code 324: send reply message.
    pub const SEND_REPLY_MESSAGE: i32 = 324;
    /// Request code 325: send reply message v2.
    pub const SEND_REPLY_MESSAGE_V2: i32 = 325;
    /// Request code 326: push reply message to client.
    pub const PUSH_REPLY_MESSAGE_TO_CLIENT: i32 = 326;
    /// Request code 327: add write perm of broker.
    pub const ADD_WRITE_PERM_OF_BROKER: i32 = 327;
    /// Request code 328: get all producer info.
    pub const GET_ALL_PRODUCER_INFO: i32 = 328;
    /// Request code 329: delete expired commitlog.
    pub const DELETE_EXPIRED_COMMITLOG: i32 = 329;
    /// Request code 351: get topic config.
    pub const GET_TOPIC_CONFIG: i32 = 351;
    /// Request code 352: get subscriptiongroup config.
    pub const GET_SUBSCRIPTIONGROUP_CONFIG: i32 = 352;
    /// Request code 353: update and get group forbidden.
    pub const UPDATE_AND_GET_GROUP_FORBIDDEN: i32 = 353;
    /// Request code 354: check rocksdb cq write progress.
    pub const CHECK_ROCKSDB_CQ_WRITE_PROGRESS: i32 = 354;
    /// Request code 355: export rocksdb config to json.
    pub const EXPORT_ROCKSDB_CONFIG_TO_JSON: i32 = 355;
    /// Request code 361: lite pull message.
    pub const LITE_PULL_MESSAGE: i32 = 361;
    /// Request code 370: recall message.
    pub const RECALL_MESSAGE: i32 = 370;
    /// Request code 400: query assignment.
    pub const QUERY_ASSIGNMENT: i32 = 400;
    /// Request code 401: set message request mode.
    pub const SET_MESSAGE_REQUEST_MODE: i32 = 401;
    /// Request code 402: get all message request mode.
    pub const GET_ALL_MESSAGE_REQUEST_MODE: i32 = 402;
    /// Request code 513: update and create static topic.
    pub const UPDATE_AND_CREATE_STATIC_TOPIC: i32 = 513;
    /// Request code 901: get broker member group.
    pub const GET_BROKER_MEMBER_GROUP: i32 = 901;
    /// Request code 902: add broker.
    pub const ADD_BROKER: i32 = 902;
    /// Request code 903: remove broker.
    pub const REMOVE_BROKER: i32 = 903;
    /// Request code 904: broker heartbeat.
    pub const BROKER_HEARTBEAT: i32 = 904;
    /// Request code 905: notify min broker id change.
    pub const NOTIFY_MIN_BROKER_ID_CHANGE: i32 = 905;
    /// Request code 906: exchange broker ha info.
    pub const EXCHANGE_BROKER_HA_INFO: i32 = 906;
    /// Request code 907: get broker ha status.
    pub const GET_BROKER_HA_STATUS: i32 = 907;
    /// Request code 908: reset master flush offset.
    pub const RESET_MASTER_FLUSH_OFFSET: i32 = 908;
    /// Request code 1001: controller alter sync state set.
    pub const CONTROLLER_ALTER_SYNC_STATE_SET: i32 = 1_001;
    /// Request code 1002: controller elect master.
    pub const CONTROLLER_ELECT_MASTER: i32 = 1_002;
    /// Request code 1003: controller register broker.
    pub const CONTROLLER_REGISTER_BROKER: i32 = 1_003;
    /// Request code 1004: controller get replica info.
    pub const CONTROLLER_GET_REPLICA_INFO: i32 = 1_004;
    /// Request code 1005: controller get metadata info.
    pub const CONTROLLER_GET_METADATA_INFO: i32 = 1_005;
    /// Request code 1006: controller get sync state data.
    pub const CONTROLLER_GET_SYNC_STATE_DATA: i32 = 1_006;
    /// Request code 1007: get broker epoch cache.
    pub const GET_BROKER_EPOCH_CACHE: i32 = 1_007;
    /// Request code 1008: notify broker role changed.
    pub const NOTIFY_BROKER_ROLE_CHANGED: i32 = 1_008;
    /// Request code 1009: update controller config.
    pub const UPDATE_CONTROLLER_CONFIG: i32 = 1_009;
    /// Request code 1010: get controller config.
    pub const GET_CONTROLLER_CONFIG: i32 = 1_010;
    /// Request code 1011: clean broker data.
    pub const CLEAN_BROKER_DATA: i32 = 1_011;
    /// Request code 1012: controller get next broker id.
    pub const CONTROLLER_GET_NEXT_BROKER_ID: i32 = 1_012;
    /// Request code 1013: controller apply broker id.
    pub const CONTROLLER_APPLY_BROKER_ID: i32 = 1_013;
    /// Request code 2001: update cold data flow ctr config.
    pub const UPDATE_COLD_DATA_FLOW_CTR_CONFIG: i32 = 2_001;
    /// Request code 2002: remove cold data flow ctr config.
    pub const REMOVE_COLD_DATA_FLOW_CTR_CONFIG: i32 = 2_002;
    /// Request code 2003: get cold data flow ctr info.
    pub const GET_COLD_DATA_FLOW_CTR_INFO: i32 = 2_003;
    /// Request code 2004: set commitlog read mode.
    pub const SET_COMMITLOG_READ_MODE: i32 = 2_004;
    /// Request code 3001: auth create user.
    pub const AUTH_CREATE_USER: i32 = 3_001;
    /// Request code 3002: auth update user.
    pub const AUTH_UPDATE_USER: i32 = 3_002;
    /// Request code 3003: auth delete user.
    pub const AUTH_DELETE_USER: i32 = 3_003;
    /// Request code 3004: auth get user.
    pub const AUTH_GET_USER: i32 = 3_004;
    /// Request code 3005: auth list user.
    pub const AUTH_LIST_USER: i32 = 3_005;
    /// Request code 3006: auth create acl.
    pub const AUTH_CREATE_ACL: i32 = 3_006;
    /// Request code 3007: auth update acl.
    pub const AUTH_UPDATE_ACL: i32 = 3_007;
    /// Request code 3008: auth delete acl.
    pub const AUTH_DELETE_ACL: i32 = 3_008;
    /// Request code 3009: auth get acl.
    pub const AUTH_GET_ACL: i32 = 3_009;
    /// Request code 3010: auth list acl.
    pub const AUTH_LIST_ACL: i32 = 3_010;
    /// Request code 5001: switch timer engine.
    pub const SWITCH_TIMER_ENGINE: i32 = 5_001;
}

/// Response codes (`RemotingSysResponseCode.java`, `ResponseCode.java`).
pub mod response_code {
    /// Response code 0: success.
    pub const SUCCESS: i32 = 0;
    /// Response code 1: system error.
    pub const SYSTEM_ERROR: i32 = 1;
    /// Response code 2: system busy.
    pub const SYSTEM_BUSY: i32 = 2;
    /// Response code 3: request code not supported.
    pub const REQUEST_CODE_NOT_SUPPORTED: i32 = 3;
    /// Response code 4: transaction failed.
    pub const TRANSACTION_FAILED: i32 = 4;
    /// Response code 10: flush disk timeout.
    pub const FLUSH_DISK_TIMEOUT: i32 = 10;
    /// Response code 11: slave not available.
    pub const SLAVE_NOT_AVAILABLE: i32 = 11;
    /// Response code 12: flush slave timeout.
    pub const FLUSH_SLAVE_TIMEOUT: i32 = 12;
    /// Response code 13: message illegal.
    pub const MESSAGE_ILLEGAL: i32 = 13;
    /// Response code 14: service not available.
    pub const SERVICE_NOT_AVAILABLE: i32 = 14;
    /// Response code 15: version not supported.
    pub const VERSION_NOT_SUPPORTED: i32 = 15;
    /// Response code 16: no permission.
    pub const NO_PERMISSION: i32 = 16;
    /// Response code 17: topic not exist.
    pub const TOPIC_NOT_EXIST: i32 = 17;
    /// Response code 18: topic exist already.
    pub const TOPIC_EXIST_ALREADY: i32 = 18;
    /// Response code 19: pull not found.
    pub const PULL_NOT_FOUND: i32 = 19;
    /// Response code 20: pull retry immediately.
    pub const PULL_RETRY_IMMEDIATELY: i32 = 20;
    /// Response code 21: pull offset moved.
    pub const PULL_OFFSET_MOVED: i32 = 21;
    /// Response code 22: query not found.
    pub const QUERY_NOT_FOUND: i32 = 22;
    /// Response code 23: subscription parse failed.
    pub const SUBSCRIPTION_PARSE_FAILED: i32 = 23;
    /// Response code 24: subscription not exist.
    pub const SUBSCRIPTION_NOT_EXIST: i32 = 24;
    /// Response code 25: subscription not latest.
    pub const SUBSCRIPTION_NOT_LATEST: i32 = 25;
    /// Response code 26: subscription group not exist.
    pub const SUBSCRIPTION_GROUP_NOT_EXIST: i32 = 26;
    /// Response code 27: filter data not exist.
    pub const FILTER_DATA_NOT_EXIST: i32 = 27;
    /// Response code 28: filter data not latest.
    pub const FILTER_DATA_NOT_LATEST: i32 = 28;
    /// Response code 29: invalid parameter.
    pub const INVALID_PARAMETER: i32 = 29;
    /// Response code 200: transaction should commit.
    pub const TRANSACTION_SHOULD_COMMIT: i32 = 200;
    /// Response code 201: transaction should rollback.
    pub const TRANSACTION_SHOULD_ROLLBACK: i32 = 201;
    /// Response code 202: transaction state unknow.
    pub const TRANSACTION_STATE_UNKNOW: i32 = 202;
    /// Response code 203: transaction state group wrong.
    pub const TRANSACTION_STATE_GROUP_WRONG: i32 = 203;
    /// Response code 204: no buyer id.
    pub const NO_BUYER_ID: i32 = 204;
    /// Response code 205: not in current unit.
    pub const NOT_IN_CURRENT_UNIT: i32 = 205;
    /// Response code 206: consumer not online.
    pub const CONSUMER_NOT_ONLINE: i32 = 206;
    /// Response code 207: consume msg timeout.
    pub const CONSUME_MSG_TIMEOUT: i32 = 207;
    /// Response code 208: no message.
    pub const NO_MESSAGE: i32 = 208;
    /// Response code 209: polling full.
    pub const POLLING_FULL: i32 = 209;
    /// Response code 210: polling timeout.
    pub const POLLING_TIMEOUT: i32 = 210;
    /// Response code 211: broker not exist.
    pub const BROKER_NOT_EXIST: i32 = 211;
    /// Response code 212: broker dispatch not complete.
    pub const BROKER_DISPATCH_NOT_COMPLETE: i32 = 212;
    /// Response code 213: broadcast consumption.
    pub const BROADCAST_CONSUMPTION: i32 = 213;
    /// Response code 215: flow control.
    pub const FLOW_CONTROL: i32 = 215;
    /// Response code 501: not leader for queue.
    pub const NOT_LEADER_FOR_QUEUE: i32 = 501;
    /// Response code 604: illegal operation.
    pub const ILLEGAL_OPERATION: i32 = 604;
    /// Response code -1000: rpc unknown.
    pub const RPC_UNKNOWN: i32 = -1_000;
    /// Response code -1002: rpc addr is null.
    pub const RPC_ADDR_IS_NULL: i32 = -1_002;
    /// Response code -1004: rpc send to channel failed.
    pub const RPC_SEND_TO_CHANNEL_FAILED: i32 = -1_004;
    /// Response code -1006: rpc time out.
    pub const RPC_TIME_OUT: i32 = -1_006;
    /// Response code 1500: go away.
    pub const GO_AWAY: i32 = 1_500;
    /// Response code 2000: controller fenced master epoch.
    pub const CONTROLLER_FENCED_MASTER_EPOCH: i32 = 2_000;
    /// Response code 2001: controller fenced sync state set epoch.
    pub const CONTROLLER_FENCED_SYNC_STATE_SET_EPOCH: i32 = 2_001;
    /// Response code 2002: controller invalid master.
    pub const CONTROLLER_INVALID_MASTER: i32 = 2_002;
    /// Response code 2003: controller invalid replicas.
    pub const CONTROLLER_INVALID_REPLICAS: i32 = 2_003;
    /// Response code 2004: controller master not available.
    pub const CONTROLLER_MASTER_NOT_AVAILABLE: i32 = 2_004;
    /// Response code 2005: controller invalid request.
    pub const CONTROLLER_INVALID_REQUEST: i32 = 2_005;
    /// Response code 2006: controller broker not alive.
    pub const CONTROLLER_BROKER_NOT_ALIVE: i32 = 2_006;
    /// Response code 2007: controller not leader.
    pub const CONTROLLER_NOT_LEADER: i32 = 2_007;
    /// Response code 2008: controller broker metadata not exist.
    pub const CONTROLLER_BROKER_METADATA_NOT_EXIST: i32 = 2_008;
    /// Response code 2009: controller invalid clean broker metadata.
    pub const CONTROLLER_INVALID_CLEAN_BROKER_METADATA: i32 = 2_009;
    /// Response code 2010: controller broker need to be registered.
    pub const CONTROLLER_BROKER_NEED_TO_BE_REGISTERED: i32 = 2_010;
    /// Response code 2011: controller master still exist.
    pub const CONTROLLER_MASTER_STILL_EXIST: i32 = 2_011;
    /// Response code 2012: controller elect master failed.
    pub const CONTROLLER_ELECT_MASTER_FAILED: i32 = 2_012;
    /// Response code 2013: controller alter sync state set failed.
    pub const CONTROLLER_ALTER_SYNC_STATE_SET_FAILED: i32 = 2_013;
    /// Response code 2014: controller broker id invalid.
    pub const CONTROLLER_BROKER_ID_INVALID: i32 = 2_014;
    /// Response code 2015: controller jraft internal error.
    pub const CONTROLLER_JRAFT_INTERNAL_ERROR: i32 = 2_015;
    /// Response code 2016: controller broker live info not exists.
    pub const CONTROLLER_BROKER_LIVE_INFO_NOT_EXISTS: i32 = 2_016;
    /// Response code 2017: lmq quota exceeded.
    pub const LMQ_QUOTA_EXCEEDED: i32 = 2_017;
    /// Response code 2018: lite subscription quota exceeded.
    pub const LITE_SUBSCRIPTION_QUOTA_EXCEEDED: i32 = 2_018;
    /// Response code 3001: user not exist.
    pub const USER_NOT_EXIST: i32 = 3_001;
    /// Response code 3002: policy not exist.
    pub const POLICY_NOT_EXIST: i32 = 3_002;
}

/// Language codes (`LanguageCode.java`): who wrote a frame.
pub mod language_code {
    /// Ordinal 0 on the binary wire, `JAVA` in a JSON header.
    pub const JAVA: u8 = 0;
    /// Ordinal 1 on the binary wire, `CPP` in a JSON header.
    pub const CPP: u8 = 1;
    /// Ordinal 2 on the binary wire, `DOTNET` in a JSON header.
    pub const DOTNET: u8 = 2;
    /// Ordinal 3 on the binary wire, `PYTHON` in a JSON header.
    pub const PYTHON: u8 = 3;
    /// Ordinal 4 on the binary wire, `DELPHI` in a JSON header.
    pub const DELPHI: u8 = 4;
    /// Ordinal 5 on the binary wire, `ERLANG` in a JSON header.
    pub const ERLANG: u8 = 5;
    /// Ordinal 6 on the binary wire, `RUBY` in a JSON header.
    pub const RUBY: u8 = 6;
    /// Ordinal 7 on the binary wire, `OTHER` in a JSON header.
    pub const OTHER: u8 = 7;
    /// Ordinal 8 on the binary wire, `HTTP` in a JSON header.
    pub const HTTP: u8 = 8;
    /// Ordinal 9 on the binary wire, `GO` in a JSON header.
    pub const GO: u8 = 9;
    /// Ordinal 10 on the binary wire, `PHP` in a JSON header.
    pub const PHP: u8 = 10;
    /// Ordinal 11 on the binary wire, `OMS` in a JSON header.
    pub const OMS: u8 = 11;
    /// Ordinal 12 on the binary wire, `RUST` in a JSON header.
    pub const RUST: u8 = 12;
    /// Ordinal 13 on the binary wire, `NODE_JS` in a JSON header.
    pub const NODE_JS: u8 = 13;

    /// Names by code, as a JSON header spells them.
    const NAMES: [&str; 14] = [
        "JAVA", "CPP", "DOTNET", "PYTHON", "DELPHI", "ERLANG", "RUBY", "OTHER", "HTTP", "GO", "PHP", "OMS", "RUST",
        "NODE_JS",
    ];

    /// The name of a language code; a code out of range is `OTHER`.
    pub fn name(code: u8) -> &'static str {
        NAMES.get(usize::from(code)).copied().unwrap_or("OTHER")
    }

    /// The code of a language name; an unknown name is [`OTHER`] (Java reads it as null).
    pub fn from_name(name: &str) -> u8 {
        NAMES.iter().zip(0..).find(|(known, _)| **known == name).map_or(OTHER, |(_, code)| code)
    }
}
