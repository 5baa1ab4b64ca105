/*
 * Writes the golden bytes that the codec is tested against: everything in them was made by Apache's own classes.
 *
 *     java -cp '<directory of Apache jars>/*' GoldenGenerator.java <directory for the files>
 *
 * Each line is a name and bytes in hex; text lines carry their text instead. The files are reviewable and do not change between runs.
 */

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.UtilAll;
import org.apache.rocketmq.common.compression.CompressionType;
import org.apache.rocketmq.common.compression.CompressorFactory;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExtBrokerInner;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.common.message.MessageVersion;
import org.apache.rocketmq.common.sysflag.MessageSysFlag;
import org.apache.rocketmq.remoting.CommandCustomHeader;
import org.apache.rocketmq.remoting.protocol.DataVersion;
import org.apache.rocketmq.remoting.protocol.LanguageCode;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;
import org.apache.rocketmq.remoting.protocol.RemotingSerializable;
import org.apache.rocketmq.remoting.protocol.SerializeType;
import org.apache.rocketmq.remoting.protocol.body.CheckClientRequestBody;
import org.apache.rocketmq.remoting.protocol.body.ClusterInfo;
import org.apache.rocketmq.remoting.protocol.body.ConsumerOffsetSerializeWrapper;
import org.apache.rocketmq.remoting.protocol.body.KVTable;
import org.apache.rocketmq.remoting.protocol.body.LockBatchRequestBody;
import org.apache.rocketmq.remoting.protocol.body.LockBatchResponseBody;
import org.apache.rocketmq.remoting.protocol.body.RegisterBrokerBody;
import org.apache.rocketmq.remoting.protocol.body.ResetOffsetBody;
import org.apache.rocketmq.remoting.protocol.body.SubscriptionGroupWrapper;
import org.apache.rocketmq.remoting.protocol.body.TopicConfigAndMappingSerializeWrapper;
import org.apache.rocketmq.remoting.protocol.body.TopicConfigSerializeWrapper;
import org.apache.rocketmq.remoting.protocol.body.TopicList;
import org.apache.rocketmq.remoting.protocol.body.UnlockBatchRequestBody;
import org.apache.rocketmq.remoting.protocol.header.*;
import org.apache.rocketmq.remoting.protocol.header.namesrv.*;
import org.apache.rocketmq.remoting.protocol.heartbeat.ConsumeType;
import org.apache.rocketmq.remoting.protocol.heartbeat.ConsumerData;
import org.apache.rocketmq.remoting.protocol.heartbeat.HeartbeatData;
import org.apache.rocketmq.remoting.protocol.heartbeat.MessageModel;
import org.apache.rocketmq.remoting.protocol.heartbeat.ProducerData;
import org.apache.rocketmq.remoting.protocol.filter.FilterAPI;
import org.apache.rocketmq.remoting.protocol.heartbeat.SubscriptionData;
import org.apache.rocketmq.remoting.protocol.route.BrokerData;
import org.apache.rocketmq.remoting.protocol.route.QueueData;
import org.apache.rocketmq.remoting.protocol.route.TopicRouteData;
import org.apache.rocketmq.remoting.protocol.statictopic.TopicQueueMappingInfo;
import org.apache.rocketmq.remoting.protocol.subscription.CustomizedRetryPolicy;
import org.apache.rocketmq.remoting.protocol.subscription.ExponentialRetryPolicy;
import org.apache.rocketmq.remoting.protocol.subscription.GroupRetryPolicy;
import org.apache.rocketmq.remoting.protocol.subscription.GroupRetryPolicyType;
import org.apache.rocketmq.remoting.protocol.subscription.SimpleSubscriptionData;
import org.apache.rocketmq.remoting.protocol.subscription.SubscriptionGroupConfig;
import org.apache.rocketmq.store.MessageExtEncoder;
import org.apache.rocketmq.store.config.MessageStoreConfig;
import org.apache.rocketmq.store.index.IndexFile;

public class GoldenGenerator {
    private static final long TIME = 1700000000000L;
    private static final String UNICODE = "grüße 世界 \uD83D\uDE80 \"quoted\" back\\slash /slash tab\tnew\nline\u0001\u0002\u007f\u2028";
    private static StringBuilder out;

    public static void main(String[] args) throws Exception {
        Path directory = Path.of(args[0]);
        write(directory, "frames.txt", GoldenGenerator::frames);
        write(directory, "records.txt", GoldenGenerator::records);
        write(directory, "bodies.txt", GoldenGenerator::bodies);
        write(directory, "texts.txt", GoldenGenerator::texts);
        write(directory, "index.txt", () -> index(directory));
        write(directory, "signed.txt", GoldenGenerator::signed);
        System.exit(0);
    }

    private interface Part {
        void run() throws Exception;
    }

    private static void write(Path directory, String file, Part part) throws Exception {
        out = new StringBuilder("# Made by GoldenGenerator.java from Apache RocketMQ 5.5.0; do not edit.\n");
        part.run();
        Files.writeString(directory.resolve(file), out.toString(), StandardCharsets.UTF_8);
    }

    private static void hex(String name, byte[] bytes) {
        StringBuilder line = new StringBuilder(name).append(' ');
        for (byte b : bytes) {
            line.append(String.format("%02x", b & 0xff));
        }
        out.append(line).append('\n');
    }

    private static void text(String name, byte[] utf8) {
        String text = new String(utf8, StandardCharsets.UTF_8);
        if (text.indexOf('\n') >= 0) {
            throw new IllegalArgumentException(name + " has a line break");
        }
        out.append(name).append(' ').append(text).append('\n');
    }

    // ---------------------------------------------------------------- frames

    private static RemotingCommand request(int code, CommandCustomHeader header, int opaque) {
        RemotingCommand command = RemotingCommand.createRequestCommand(code, header);
        command.setVersion(513);
        command.setOpaque(opaque);
        command.setLanguage(LanguageCode.JAVA);
        return command;
    }

    private static RemotingCommand response(int code, String remark, CommandCustomHeader header, int opaque) {
        RemotingCommand command = RemotingCommand.createResponseCommandWithHeader(code, header);
        command.setRemark(remark);
        command.setVersion(513);
        command.setOpaque(opaque);
        return command;
    }

    /** The command in both encodings, by the code path that sends it (fastEncodeHeader). */
    private interface Make {
        RemotingCommand command() throws Exception;
    }

    private static void both(String name, Make make) throws Exception {
        for (SerializeType type : SerializeType.values()) {
            RemotingCommand command = make.command();
            command.setSerializeTypeCurrentRPC(type);
            ByteBuf buffer = Unpooled.buffer();
            command.fastEncodeHeader(buffer);
            if (command.getBody() != null) {
                buffer.writeBytes(command.getBody());
            }
            byte[] bytes = new byte[buffer.readableBytes()];
            buffer.readBytes(bytes);
            hex(name + "." + type.name().toLowerCase(), bytes);
        }
    }

    private static SendMessageRequestHeader sendHeader() {
        SendMessageRequestHeader header = new SendMessageRequestHeader();
        header.setProducerGroup("PG");
        header.setTopic("TopicTest");
        header.setDefaultTopic("TBW102");
        header.setDefaultTopicQueueNums(4);
        header.setQueueId(1);
        header.setSysFlag(0);
        header.setBornTimestamp(TIME);
        header.setFlag(7);
        header.setProperties("KEYS\u0001k1 k2\u0002TAGS\u0001TagA\u0002UNIQ_KEY\u00017F00000100002A9F4B3C000000000001\u0002WAIT\u0001true");
        header.setReconsumeTimes(0);
        header.setUnitMode(false);
        header.setMaxReconsumeTimes(16);
        header.setBatch(false);
        header.setBrokerName("broker-a");
        return header;
    }

    private static PullMessageRequestHeader pullHeader() {
        PullMessageRequestHeader header = new PullMessageRequestHeader();
        header.setConsumerGroup("CG");
        header.setTopic("TopicTest");
        header.setQueueId(3);
        header.setQueueOffset(4294967296L);
        header.setMaxMsgNums(32);
        header.setSysFlag(3);
        header.setCommitOffset(4294967290L);
        header.setSuspendTimeoutMillis(15000L);
        header.setSubscription("TagA || TagB");
        header.setSubVersion(TIME);
        header.setExpressionType("TAG");
        header.setMaxMsgBytes(262144);
        header.setBrokerName("broker-a");
        return header;
    }

    private static void signed() throws Exception {
        SignedFrames.write("send_v2", () -> {
            RemotingCommand command = request(310, SendMessageRequestHeaderV2.createSendMessageRequestHeaderV2(sendHeader()), 12);
            command.setBody("hello".getBytes(StandardCharsets.UTF_8));
            return command;
        }, GoldenGenerator::hex);
        SignedFrames.write("pull", () -> request(11, pullHeader(), 13), GoldenGenerator::hex);
        SignedFrames.write("heartbeat", () -> {
            RemotingCommand command = request(34, new HeartbeatRequestHeader(), 15);
            command.setBody(heartbeat().encode());
            return command;
        }, GoldenGenerator::hex);
        SignedFrames.write("unicode", () -> {
            NotifyConsumerIdsChangedRequestHeader header = new NotifyConsumerIdsChangedRequestHeader();
            header.setConsumerGroup(UNICODE);
            RemotingCommand command = request(40, header, -5);
            command.markOnewayRPC();
            return command;
        }, GoldenGenerator::hex);
        SignedFrames.writeEmptyValue(38, GoldenGenerator::hex);
    }

    private static void frames() throws Exception {
        both("send_v1", () -> {
            RemotingCommand command = request(10, sendHeader(), 11);
            command.setBody("hello".getBytes(StandardCharsets.UTF_8));
            return command;
        });
        both("send_v2", () -> {
            RemotingCommand command = request(310, SendMessageRequestHeaderV2.createSendMessageRequestHeaderV2(sendHeader()), 12);
            command.setBody("hello".getBytes(StandardCharsets.UTF_8));
            return command;
        });
        both("send_response", () -> {
            SendMessageResponseHeader header = new SendMessageResponseHeader();
            header.setMsgId("C0A8010A00002A9F0000000000000123");
            header.setQueueId(1);
            header.setQueueOffset(99L);
            header.setTransactionId("7F00000100002A9F4B3C000000000001");
            return response(0, null, header, 12);
        });
        both("pull", () -> request(11, pullHeader(), 13));
        both("pull_response", () -> {
            PullMessageResponseHeader header = new PullMessageResponseHeader();
            header.setSuggestWhichBrokerId(0L);
            header.setNextBeginOffset(100L);
            header.setMinOffset(0L);
            header.setMaxOffset(4294967299L);
            header.setTopicSysFlag(0);
            RemotingCommand command = response(0, "FOUND", header, 13);
            command.setBody(new byte[] {1, 2, 3});
            return command;
        });
        both("pull_not_found", () -> {
            PullMessageResponseHeader header = new PullMessageResponseHeader();
            header.setSuggestWhichBrokerId(0L);
            header.setNextBeginOffset(0L);
            header.setMinOffset(0L);
            header.setMaxOffset(0L);
            return response(19, "OFFSET_FOUND_NULL", header, 14);
        });
        both("heartbeat", () -> {
            RemotingCommand command = request(34, new HeartbeatRequestHeader(), 15);
            command.setBody(heartbeat().encode());
            return command;
        });
        both("route", () -> {
            GetRouteInfoRequestHeader header = new GetRouteInfoRequestHeader();
            header.setTopic("TopicTest");
            return request(105, header, 16);
        });
        both("route_missing", () -> response(17, "No topic route info in name server for the topic: TopicTest\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.", null, 16));
        both("route_found", () -> {
            RemotingCommand command = response(0, null, null, 17);
            command.setBody(route().encode());
            return command;
        });
        both("error_unicode", () -> response(1, UNICODE, null, 2147483647));
        both("ext_unicode", () -> {
            NotifyConsumerIdsChangedRequestHeader header = new NotifyConsumerIdsChangedRequestHeader();
            header.setConsumerGroup(UNICODE);
            RemotingCommand command = request(40, header, -5);
            command.markOnewayRPC();
            return command;
        });
        both("no_header", () -> request(206, null, 0));
        both("commit_offset_oneway", () -> {
            UpdateConsumerOffsetRequestHeader header = new UpdateConsumerOffsetRequestHeader();
            header.setConsumerGroup("CG");
            header.setTopic("TopicTest");
            header.setQueueId(3);
            header.setCommitOffset(77L);
            header.setBrokerName("broker-a");
            RemotingCommand command = request(15, header, 18);
            command.markOnewayRPC();
            return command;
        });
        both("query_offset", () -> {
            QueryConsumerOffsetRequestHeader header = new QueryConsumerOffsetRequestHeader();
            header.setConsumerGroup("CG");
            header.setTopic("TopicTest");
            header.setQueueId(3);
            header.setSetZeroIfNotFound(false);
            return request(14, header, 19);
        });
        both("search_offset", () -> {
            SearchOffsetRequestHeader header = new SearchOffsetRequestHeader();
            header.setTopic("TopicTest");
            header.setQueueId(3);
            header.setTimestamp(TIME);
            header.setBoundaryType(org.apache.rocketmq.common.BoundaryType.UPPER);
            return request(29, header, 20);
        });
        both("max_offset", () -> {
            GetMaxOffsetRequestHeader header = new GetMaxOffsetRequestHeader();
            header.setTopic("TopicTest");
            header.setQueueId(3);
            return request(30, header, 21);
        });
        both("unregister_client", () -> {
            UnregisterClientRequestHeader header = new UnregisterClientRequestHeader();
            header.setClientID("10.0.0.1@1");
            header.setConsumerGroup("CG");
            return request(35, header, 22);
        });
        both("send_back", () -> {
            ConsumerSendMsgBackRequestHeader header = new ConsumerSendMsgBackRequestHeader();
            header.setOffset(12345678901L);
            header.setGroup("CG");
            header.setDelayLevel(0);
            header.setOriginMsgId("7F00000100002A9F4B3C000000000001");
            header.setOriginTopic("TopicTest");
            header.setMaxReconsumeTimes(16);
            return request(36, header, 23);
        });
        both("create_topic", () -> {
            CreateTopicRequestHeader header = new CreateTopicRequestHeader();
            header.setTopic("TopicTest");
            header.setDefaultTopic("TBW102");
            header.setReadQueueNums(8);
            header.setWriteQueueNums(8);
            header.setPerm(6);
            header.setTopicFilterType("SINGLE_TAG");
            header.setTopicSysFlag(0);
            header.setOrder(false);
            header.setAttributes("+message.type=NORMAL");
            return request(17, header, 24);
        });
        both("register_broker", () -> {
            RegisterBrokerRequestHeader header = new RegisterBrokerRequestHeader();
            header.setBrokerName("broker-a");
            header.setBrokerAddr("10.0.0.1:10911");
            header.setClusterName("DefaultCluster");
            header.setHaServerAddr("10.0.0.1:10912");
            header.setBrokerId(0L);
            header.setBodyCrc32(123456);
            return request(103, header, 25);
        });
        both("data_version_changed", () -> {
            QueryDataVersionResponseHeader header = new QueryDataVersionResponseHeader();
            header.setChanged(true);
            return response(0, null, header, 26);
        });
        both("broker_heartbeat", () -> {
            BrokerHeartbeatRequestHeader header = new BrokerHeartbeatRequestHeader();
            header.setClusterName("DefaultCluster");
            header.setBrokerAddr("10.0.0.1:10911");
            header.setBrokerName("broker-a");
            header.setBrokerId(0L);
            header.setMaxOffset(5L);
            header.setHeartbeatTimeoutMills(10000L);
            return request(904, header, 27);
        });
        both("pop_code", () -> request(200050, null, 28));
    }

    // --------------------------------------------------------------- records

    private static MessageExtBrokerInner message(String topic, byte[] body) throws Exception {
        MessageExtBrokerInner message = new MessageExtBrokerInner();
        message.setTopic(topic);
        message.setBody(body);
        message.setQueueId(3);
        message.setFlag(9);
        message.setBornTimestamp(TIME);
        message.setStoreTimestamp(TIME + 5);
        message.setBornHost(new InetSocketAddress("192.168.1.10", 50123));
        message.setStoreHost(new InetSocketAddress("10.0.0.1", 10911));
        message.setReconsumeTimes(2);
        message.setPreparedTransactionOffset(0x1122334455667788L);
        message.setPropertiesString("TAGS\u0001TagA\u0002KEYS\u0001k1 k2\u0002UNIQ_KEY\u00017F00000100002A9F4B3C000000000001\u0002");
        return message;
    }

    /** As the broker's put does it: CRC, version by topic length, encoder, and the patching of the append callback. */
    private static byte[] store(MessageExtBrokerInner message) throws Exception {
        message.setBodyCRC(UtilAll.crc32(message.getBody()));
        message.setVersion(message.getTopic().length() > Byte.MAX_VALUE ? MessageVersion.MESSAGE_VERSION_V2 : MessageVersion.MESSAGE_VERSION_V1);
        message.setQueueOffset(41);
        MessageExtEncoder encoder = new MessageExtEncoder(new MessageStoreConfig());
        if (encoder.encode(message) != null) {
            throw new IllegalStateException("not encoded");
        }
        ByteBuffer buffer = encoder.getEncoderBuffer();
        byte[] record = new byte[buffer.getInt(0)];
        buffer.get(0, record);
        ByteBuffer.wrap(record).putLong(28, 0x0102030405L);
        return record;
    }

    private static byte[] repetitive() {
        return "RocketMQ message body. ".repeat(100).getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] random(int length) {
        byte[] bytes = new byte[length];
        new Random(42).nextBytes(bytes);
        return bytes;
    }

    private static void records() throws Exception {
        byte[] hello = "hello".getBytes(StandardCharsets.UTF_8);
        hex("v1", store(message("TopicTest", hello)));
        hex("v1_topic_127", store(message("t".repeat(127), hello)));
        hex("v2_topic_128", store(message("t".repeat(128), hello)));
        MessageExtBrokerInner plain = message("TopicTest", new byte[0]);
        plain.setPropertiesString("");
        hex("empty_body_no_properties", store(plain));
        MessageExtBrokerInner v6 = message("TopicTest", hello);
        v6.setBornHost(new InetSocketAddress("2001:db8::1", 50123));
        v6.setBornHostV6Flag();
        v6.setStoreHost(new InetSocketAddress("fe80::1234", 10911));
        v6.setStoreHostAddressV6Flag();
        hex("v6_hosts", store(v6));
        MessageExtBrokerInner born6 = message("TopicTest", hello);
        born6.setBornHost(new InetSocketAddress("2001:db8::1", 50123));
        born6.setBornHostV6Flag();
        hex("v6_born_host", store(born6));
        MessageExtBrokerInner unicode = message("TopicTest", UNICODE.getBytes(StandardCharsets.UTF_8));
        unicode.setPropertiesString("TAGS\u0001grüße\u0002emoji\u0001\uD83D\uDE80\u0002");
        hex("unicode", store(unicode));
        MessageExtBrokerInner prepared = message("TopicTest", hello);
        prepared.setSysFlag(MessageSysFlag.TRANSACTION_PREPARED_TYPE);
        hex("prepared", store(prepared));
        for (CompressionType type : CompressionType.values()) {
            byte[] compressed = CompressorFactory.getCompressor(type).compress(repetitive(), 5);
            MessageExtBrokerInner message = message("TopicTest", compressed);
            message.setSysFlag(MessageSysFlag.COMPRESSED_FLAG | type.getCompressionFlag());
            hex("compressed_" + type.name().toLowerCase(), store(message));
            hex("deflated_" + type.name().toLowerCase() + "_repetitive", compressed);
            hex("deflated_" + type.name().toLowerCase() + "_random_300", CompressorFactory.getCompressor(type).compress(random(300), 5));
            hex("deflated_" + type.name().toLowerCase() + "_empty", CompressorFactory.getCompressor(type).compress(new byte[0], 5));
        }
        MessageExtBrokerInner legacy = message("TopicTest", CompressorFactory.getCompressor(CompressionType.ZLIB).compress(repetitive(), 5));
        legacy.setSysFlag(MessageSysFlag.COMPRESSED_FLAG);
        hex("compressed_without_type", store(legacy));
        hex("inflated_random_300", random(300));

        List<Message> batch = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            Message message = new Message("TopicTest", "Tag" + i, "key" + i, ("body " + i).getBytes(StandardCharsets.UTF_8));
            message.setFlag(i);
            Map<String, String> properties = new LinkedHashMap<>();
            properties.put("TAGS", "Tag" + i);
            properties.put("KEYS", "key" + i);
            org.apache.rocketmq.common.message.MessageAccessor.setProperties(message, properties);
            batch.add(message);
        }
        batch.get(2).setBody(new byte[0]);
        hex("batch", MessageDecoder.encodeMessages(batch));
        MessageExtBrokerInner inner = message("TopicTest", MessageDecoder.encodeMessages(batch));
        inner.setSysFlag(MessageSysFlag.NEED_UNWRAP_FLAG | MessageSysFlag.INNER_BATCH_FLAG);
        hex("inner_batch", store(inner));
    }

    // ---------------------------------------------------------------- bodies

    private static DataVersion version(long counter) {
        DataVersion version = new DataVersion();
        version.setTimestamp(TIME);
        version.setStateVersion(0);
        version.setCounter(new AtomicLong(counter));
        return version;
    }

    private static SubscriptionData subscription(String expression) throws Exception {
        SubscriptionData data = FilterAPI.buildSubscriptionData("TopicTest", expression);
        data.setSubVersion(TIME);
        return data;
    }

    private static HeartbeatData heartbeat() throws Exception {
        HeartbeatData data = new HeartbeatData();
        data.setClientID("10.0.0.1@1#2");
        ProducerData producer = new ProducerData();
        producer.setGroupName("PG");
        data.getProducerDataSet().add(producer);
        ConsumerData consumer = new ConsumerData();
        consumer.setGroupName("CG");
        consumer.setConsumeType(ConsumeType.CONSUME_PASSIVELY);
        consumer.setMessageModel(MessageModel.CLUSTERING);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET);
        consumer.getSubscriptionDataSet().add(subscription("TagA"));
        data.getConsumerDataSet().add(consumer);
        return data;
    }

    private static BrokerData brokerData() {
        HashMap<Long, String> addresses = new HashMap<>();
        addresses.put(0L, "10.0.0.1:10911");
        addresses.put(1L, "10.0.0.2:10911");
        return new BrokerData("DefaultCluster", "broker-a", addresses);
    }

    private static TopicRouteData route() {
        TopicRouteData route = new TopicRouteData();
        route.setBrokerDatas(Collections.singletonList(brokerData()));
        QueueData queue = new QueueData();
        queue.setBrokerName("broker-a");
        queue.setPerm(6);
        queue.setReadQueueNums(4);
        queue.setWriteQueueNums(4);
        route.setQueueDatas(Collections.singletonList(queue));
        route.setFilterServerTable(new HashMap<>());
        return route;
    }

    private static TopicConfig topic(String name) {
        TopicConfig topic = new TopicConfig(name, 8, 8, 6);
        topic.getAttributes().put("message.type", "NORMAL");
        return topic;
    }

    private static RegisterBrokerBody registerBody() {
        RegisterBrokerBody body = new RegisterBrokerBody();
        TopicConfigAndMappingSerializeWrapper wrapper = new TopicConfigAndMappingSerializeWrapper();
        wrapper.setDataVersion(version(3));
        wrapper.setMappingDataVersion(version(0));
        wrapper.getTopicConfigTable().put("TopicTest", topic("TopicTest"));
        wrapper.getTopicConfigTable().put("SELF_TEST_TOPIC", new TopicConfig("SELF_TEST_TOPIC", 1, 1, 6));
        wrapper.getTopicQueueMappingInfoMap().put("Static", new TopicQueueMappingInfo("Static", 8, "broker-a", TIME));
        body.setTopicConfigSerializeWrapper(wrapper);
        body.getFilterServerList().add("10.0.0.3:1");
        return body;
    }

    private static SubscriptionGroupConfig group() {
        SubscriptionGroupConfig group = new SubscriptionGroupConfig();
        group.setGroupName("CG");
        return group;
    }

    private static void bodies() throws Exception {
        text("heartbeat", heartbeat().encode());
        HeartbeatData empty = new HeartbeatData();
        empty.setClientID("c");
        text("heartbeat_empty", empty.encode());
        text("route", route().encode());
        TopicRouteData strict = route();
        strict.getBrokerDatas().get(0).setZoneName(UNICODE + "<script>&'()");
        // The features of ClientRequestProcessor#getRouteInfoByTopic.
        text("route_strict", strict.encode(
            com.alibaba.fastjson2.JSONWriter.Feature.BrowserCompatible,
            com.alibaba.fastjson2.JSONWriter.Feature.MapSortField));
        TopicRouteData ordered = route();
        ordered.setOrderTopicConf("broker-a:4");
        ordered.getBrokerDatas().get(0).setZoneName("zone");
        ordered.getFilterServerTable().put("10.0.0.1:10911", Arrays.asList("f1", "f2"));
        text("route_full", ordered.encode());
        ClusterInfo cluster = new ClusterInfo();
        cluster.setBrokerAddrTable(new HashMap<>(Collections.singletonMap("broker-a", brokerData())));
        cluster.setClusterAddrTable(new HashMap<>(Collections.singletonMap("DefaultCluster", new HashSet<>(Collections.singleton("broker-a")))));
        text("cluster", cluster.encode());
        text("topic_config", RemotingSerializable.encode(topic("TopicTest")));
        text("data_version", version(7).encode());
        TopicConfigSerializeWrapper topics = new TopicConfigSerializeWrapper();
        topics.setDataVersion(version(1));
        topics.getTopicConfigTable().put("TopicTest", topic("TopicTest"));
        topics.getTopicConfigTable().put("Plain", new TopicConfig("Plain", 1, 1, 6));
        text("topic_table", topics.encode());
        hex("topic_table_pretty", topics.toJson(true).getBytes(StandardCharsets.UTF_8));
        text("register", registerBody().encode(false));
        hex("register_compressed", registerBody().encode(true));
        text("group", RemotingSerializable.encode(group()));
        SubscriptionGroupConfig full = group();
        full.getAttributes().put("k", "v");
        SimpleSubscriptionData simple = new SimpleSubscriptionData("TopicTest", "TAG", "TagA", 5);
        full.setSubscriptionDataSet(new HashSet<>(Collections.singleton(simple)));
        GroupRetryPolicy policy = new GroupRetryPolicy();
        policy.setType(GroupRetryPolicyType.EXPONENTIAL);
        policy.setExponentialRetryPolicy(new ExponentialRetryPolicy());
        policy.setCustomizedRetryPolicy(new CustomizedRetryPolicy());
        full.setGroupRetryPolicy(policy);
        text("group_full", RemotingSerializable.encode(full));
        SubscriptionGroupWrapper groups = new SubscriptionGroupWrapper();
        groups.setDataVersion(version(1));
        groups.getSubscriptionGroupTable().put("CG", group());
        groups.getForbiddenTable().put("CG", new ConcurrentHashMap<>(Collections.singletonMap("TopicTest", 2)));
        text("group_table", groups.encode());
        ConsumerOffsetSerializeWrapper offsets = new ConsumerOffsetSerializeWrapper();
        offsets.setDataVersion(version(2));
        ConcurrentMap<Integer, Long> queues = new ConcurrentHashMap<>();
        queues.put(0, 5L);
        queues.put(1, 4294967296L);
        offsets.getOffsetTable().put("TopicTest@CG", queues);
        text("consumer_offsets", offsets.encode());
        hex("consumer_offsets_pretty", offsets.toJson(true).getBytes(StandardCharsets.UTF_8));
        MessageQueue queue = new MessageQueue("TopicTest", "broker-a", 3);
        LockBatchRequestBody lock = new LockBatchRequestBody();
        lock.setClientId("c1");
        lock.setConsumerGroup("CG");
        lock.getMqSet().add(queue);
        text("lock", lock.encode());
        UnlockBatchRequestBody unlock = new UnlockBatchRequestBody();
        unlock.setClientId("c1");
        unlock.setConsumerGroup("CG");
        unlock.getMqSet().add(queue);
        text("unlock", unlock.encode());
        LockBatchResponseBody locked = new LockBatchResponseBody();
        locked.getLockOKMQSet().add(queue);
        text("locked", locked.encode());
        GetConsumerListByGroupResponseBody members = new GetConsumerListByGroupResponseBody();
        members.setConsumerIdList(Arrays.asList("c1", "c2"));
        text("consumer_list", members.encode());
        hex("consumer_list_pretty", members.toJson(true).getBytes(StandardCharsets.UTF_8));
        hex("consumer_list_empty_pretty", RemotingSerializable.toJson(new LockBatchResponseBody(), true).getBytes(StandardCharsets.UTF_8));
        KVTable table = new KVTable();
        table.getTable().put("key", UNICODE);
        text("kv_table", table.encode());
        TopicList list = new TopicList();
        list.getTopicList().add("TopicTest");
        text("topic_list", list.encode());
        text("message_queue", RemotingSerializable.encode(queue));
        CheckClientRequestBody check = new CheckClientRequestBody();
        check.setClientId("c1");
        check.setGroup("CG");
        check.setSubscriptionData(subscription("*"));
        text("check_client", check.encode());
        ResetOffsetBody reset = new ResetOffsetBody();
        reset.setOffsetTable(new HashMap<>(Collections.singletonMap(queue, 10L)));
        text("queue_keys", reset.encode());
    }

    // ----------------------------------------------------------------- texts

    private static void texts() throws Exception {
        String[] tags = {"TagA", "TagB", "", "a", "grüße", "世界", "\uD83D\uDE80", "x".repeat(300), "*", "polygenelubricants"};
        for (String tag : tags) {
            text("hash " + tag.hashCode(), tag.getBytes(StandardCharsets.UTF_8));
        }
        for (String host : new String[] {"192.168.1.10", "2001:db8::1"}) {
            InetSocketAddress address = new InetSocketAddress(host, 10911);
            text("offset_id " + host + " 10911 78187493520", MessageDecoder.createMessageId(address, 78187493520L).getBytes(StandardCharsets.UTF_8));
        }
        Map<String, String> properties = new LinkedHashMap<>();
        properties.put("TAGS", "TagA");
        properties.put("gone", null);
        properties.put("emoji", "\uD83D\uDE80");
        text("properties", MessageDecoder.messageProperties2String(properties).getBytes(StandardCharsets.UTF_8));
        String[] odd = {"a\u0001b", "a\u0001b\u0002", "\u0001b\u0002a\u0001c", "a\u0001\u0002b\u0001c\u0002", "ab\u0002c\u0001d", "a\u0001b\u0001c\u0002", "\u0002\u0002a\u0001b\u0002\u0002",
            "a\u00011\u0002a\u00012\u0002", "noseparator", "k\u0001v\u0002tail"};
        for (String text : odd) {
            StringBuilder parsed = new StringBuilder();
            new TreeMap<>(MessageDecoder.string2messageProperties(text)).forEach((name, value) -> parsed.append(name).append('=').append(value).append(';'));
            text("parsed " + UtilAll.bytes2string(text.getBytes(StandardCharsets.UTF_8)), parsed.toString().getBytes(StandardCharsets.UTF_8));
        }
        text("crc " + UtilAll.bytes2string("hello".getBytes(StandardCharsets.UTF_8)), String.valueOf(UtilAll.crc32("hello".getBytes(StandardCharsets.UTF_8))).getBytes(StandardCharsets.UTF_8));
        text("crc_masked FFFFFFFF", String.valueOf(UtilAll.crc32(new byte[] {-1, -1, -1, -1})).getBytes(StandardCharsets.UTF_8));
    }

    /** Two index files of 5 slots and 12 items, the second behind the first, with 11 and 6 keys of messages 700 ms apart. */
    private static void index(Path directory) throws Exception {
        Path path = directory.resolve("20231114221320000");
        long endOffset = 0;
        long endTimestamp = 0;
        int number = 0;
        for (String name : new String[] {"first", "second"}) {
            IndexFile file = new IndexFile(path.toString(), 5, 12, endOffset, endTimestamp);
            while (number < 17 && !file.isWriteFull()) {
                String key = "Topic#" + (number % 3 == 2 ? "gr\u00fc\u00dfe " : "key") + number;
                // The second file begins after a while.
                long timestamp = 1_700_000_000_000L + number * 700L + (name.equals("second") ? 5_000 : 0);
                file.putKey(key, number * 100L, timestamp);
                text("hash " + file.indexKeyHashMethod(key), key.substring(6).getBytes(StandardCharsets.UTF_8));
                number++;
            }
            endOffset = file.getEndPhyOffset();
            endTimestamp = file.getEndTimestamp();
            file.flush();
            file.shutdown();
            hex(name, Files.readAllBytes(path));
            Files.delete(path);
        }
    }
}
