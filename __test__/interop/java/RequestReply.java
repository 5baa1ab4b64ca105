import com.alibaba.fastjson2.JSONObject;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.utils.MessageUtil;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Requests and replies of Apache's client. */
final class RequestReply {
    private static final Map<String, RequestReply> REPLIERS = new ConcurrentHashMap<>();

    private final DefaultMQPushConsumer consumer;
    private final DefaultMQProducer producer;
    private final List<String> failures = new ArrayList<>();
    private final AtomicInteger replying = new AtomicInteger();

    private RequestReply(JSONObject request) throws Exception {
        producer = new DefaultMQProducer("replies_" + request.getString("topic"));
        producer.setNamesrvAddr(request.getString("nameServer"));
        consumer = new DefaultMQPushConsumer("repliers_" + request.getString("topic"));
        consumer.setNamesrvAddr(request.getString("nameServer"));
        consumer.setHeartbeatBrokerInterval(1_000);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(request.getString("topic"), "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            // What created the topic is no request.
            messages.stream().filter(message -> MessageUtil.getReplyToClient(message) != null).forEach(this::reply);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
    }

    /** The body of the reply is "re: " and the body of the request. */
    private void reply(MessageExt request) {
        replying.incrementAndGet();
        try {
            String body = "re: " + new String(request.getBody(), StandardCharsets.UTF_8);
            producer.send(MessageUtil.createReplyMessage(request, body.getBytes(StandardCharsets.UTF_8)), 3_000);
        } catch (Exception e) {
            synchronized (failures) {
                failures.add(String.valueOf(e));
            }
        } finally {
            replying.decrementAndGet();
        }
    }

    /** Replies to all requests of a topic. Fields: nameServer, topic. */
    static void startReplier(JSONObject request) throws Exception {
        RequestReply replier = new RequestReply(request);
        replier.producer.start();
        replier.consumer.start();
        REPLIERS.put(request.getString("topic"), replier);
    }

    /** Ends the replier of a topic; what it could not send. */
    static List<String> endReplier(JSONObject request) throws InterruptedException {
        RequestReply replier = REPLIERS.remove(request.getString("topic"));
        // A reply reaches the requester before its sender hears that it was sent.
        while (replier.replying.get() > 0) {
            Thread.sleep(10);
        }
        replier.consumer.shutdown();
        replier.producer.shutdown();
        return replier.failures;
    }

    /** DefaultMQProducer#request. Fields: nameServer, topic, body, timeoutMs; the result is the reply. */
    static Map<String, Object> request(JSONObject request) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer("requests_" + request.getString("topic"));
        producer.setNamesrvAddr(request.getString("nameServer"));
        producer.start();
        try {
            byte[] body = request.getString("body").getBytes(StandardCharsets.UTF_8);
            Message reply = producer.request(new Message(request.getString("topic"), body), request.getLongValue("timeoutMs"));
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("body", new String(reply.getBody(), StandardCharsets.UTF_8));
            row.put("topic", reply.getTopic());
            row.put("properties", reply.getProperties());
            return row;
        } finally {
            new Thread(producer::shutdown, "producer-shutdown").start();
        }
    }
}
