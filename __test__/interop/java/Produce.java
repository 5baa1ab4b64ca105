import com.alibaba.fastjson2.JSONObject;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.compression.CompressionType;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * Sends messages with bodies of {@link Bodies}. Fields: nameServer, topic, group, from, count, bytes; and, each
 * optional: tags, keys, properties (text fields of a message), compress (ZLIB, LZ4, ZSTD: every body is compressed),
 * batch (messages a request), oneway, brokerName with queueId. The result has a row for each SendResult.
 */
final class Produce {
    private final JSONObject request;
    private final DefaultMQProducer producer;
    private final List<Map<String, Object>> sent = new ArrayList<>();

    private Produce(JSONObject request) {
        this.request = request;
        this.producer = new DefaultMQProducer(request.getString("group"));
        producer.setNamesrvAddr(request.getString("nameServer"));
        producer.setSendMsgTimeout(10_000);
        String compress = request.getString("compress");
        if (compress == null) {
            producer.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        } else {
            producer.setCompressType(CompressionType.of(compress));
            producer.setCompressMsgBodyOverHowmuch(1);
        }
    }

    static List<Map<String, Object>> run(JSONObject request) throws Exception {
        Produce produce = new Produce(request);
        produce.producer.start();
        try {
            produce.sendAll();
        } finally {
            // Netty's threads take up to three seconds to end; nobody has to wait for them.
            new Thread(produce.producer::shutdown, "producer-shutdown").start();
        }
        return produce.sent;
    }

    private void sendAll() throws Exception {
        int from = request.getIntValue("from");
        int end = from + request.getIntValue("count");
        int batch = Math.max(1, request.getIntValue("batch"));
        for (int first = from; first < end; first += batch) {
            List<Message> messages = new ArrayList<>();
            for (int index = first; index < Math.min(first + batch, end); index++) {
                messages.add(message(index));
            }
            send(first, messages);
        }
    }

    private Message message(int index) {
        Message message = new Message(request.getString("topic"), Bodies.of(index, request.getIntValue("bytes")));
        if (request.containsKey("tags")) {
            message.setTags(request.getString("tags"));
        }
        if (request.containsKey("keys")) {
            message.setKeys(request.getString("keys") + index);
        }
        JSONObject properties = request.getJSONObject("properties");
        if (properties != null) {
            properties.forEach((name, value) -> message.putUserProperty(name, String.valueOf(value)));
        }
        return message;
    }

    private void send(int first, List<Message> messages) throws Exception {
        if (request.getBooleanValue("oneway")) {
            producer.sendOneway(messages.get(0));
        } else if (request.containsKey("batch")) {
            row(first, producer.send(messages));
        } else if (request.containsKey("queueId")) {
            String brokerName = request.getString("brokerName");
            MessageQueue queue = new MessageQueue(request.getString("topic"), brokerName, request.getIntValue("queueId"));
            row(first, producer.send(messages.get(0), queue));
        } else {
            row(first, producer.send(messages.get(0)));
        }
    }

    private void row(int index, SendResult result) {
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("index", index);
        row.put("status", result.getSendStatus().name());
        row.put("msgId", result.getMsgId());
        row.put("offsetMsgId", result.getOffsetMsgId());
        row.put("brokerName", result.getMessageQueue().getBrokerName());
        row.put("queueId", result.getMessageQueue().getQueueId());
        row.put("queueOffset", result.getQueueOffset());
        sent.add(row);
    }
}
