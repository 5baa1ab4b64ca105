import com.alibaba.fastjson2.JSONObject;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageConst;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** A push consumer that reads its group's topic from the first offset and keeps what it was given. */
final class Member {
    private final DefaultMQPushConsumer consumer;
    private final String topic;
    private final List<Map<String, Object>> received = new ArrayList<>();

    private Member(JSONObject request) throws Exception {
        topic = request.getString("topic");
        consumer = new DefaultMQPushConsumer(request.getString("group"));
        consumer.setNamesrvAddr(request.getString("nameServer"));
        // The first rebalance and the first periodic heartbeat fall together, one second after the start: when they collide,
        // pulls are answered "the subscription is not latest" until the next heartbeat. Do not let that be in 30 seconds.
        consumer.setHeartbeatBrokerInterval(1_000);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, request.containsKey("expression") ? request.getString("expression") : "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            synchronized (received) {
                messages.forEach(message -> received.add(row(message)));
                received.notifyAll();
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
    }

    /** Fields: member, nameServer, topic, group; optional expression. */
    static Member join(JSONObject request) throws Exception {
        Member member = new Member(request);
        member.consumer.start();
        return member;
    }

    /** Everything received so far, once it is at least that many; an error with the count when time runs out. */
    List<Map<String, Object>> received(int atLeast, long timeoutMs) throws InterruptedException {
        long end = System.currentTimeMillis() + timeoutMs;
        synchronized (received) {
            for (long left = timeoutMs; received.size() < atLeast; left = end - System.currentTimeMillis()) {
                if (left <= 0) {
                    throw new IllegalStateException("received " + received.size() + " of " + atLeast + " messages");
                }
                received.wait(left);
            }
            return new ArrayList<>(received);
        }
    }

    /** The ids of the queues of the topic that this member reads now. */
    List<Integer> assignment() {
        List<Integer> queueIds = new ArrayList<>();
        for (MessageQueue queue : consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable().keySet()) {
            if (queue.getTopic().equals(topic)) {
                queueIds.add(queue.getQueueId());
            }
        }
        queueIds.sort(null);
        return queueIds;
    }

    void leave() {
        consumer.shutdown();
    }

    private static Map<String, Object> row(MessageExt message) {
        byte[] body = message.getBody();
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("index", body.length < 4 ? -1 : ByteBuffer.wrap(body).getInt());
        row.put("bytes", body.length);
        row.put("crc32", Bodies.crc32(body));
        row.put("msgId", message.getMsgId());
        row.put("topic", message.getTopic());
        row.put("queueId", message.getQueueId());
        row.put("queueOffset", message.getQueueOffset());
        row.put("tags", message.getTags());
        row.put("keys", message.getKeys());
        row.put("uniqueKey", message.getProperty(MessageConst.PROPERTY_UNIQ_CLIENT_MESSAGE_ID_KEYIDX));
        row.put("properties", message.getProperties());
        row.put("bornTimestamp", message.getBornTimestamp());
        row.put("storeTimestamp", message.getStoreTimestamp());
        return row;
    }
}
