import com.alibaba.fastjson2.JSON;
import com.alibaba.fastjson2.JSONWriter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** What Java's producer says of a send, and what Java's consumer sees in a namespace; one JSON document on stdout. */
public final class SendInterop {
    private SendInterop() {
    }

    public static void main(String[] arguments) throws Exception {
        Object result = switch (arguments[0]) {
            case "results" -> results(arguments[1], arguments[2], arguments.length > 3 ? arguments[3] : null);
            case "namespaceV2" -> namespaceV2(arguments[1], arguments[2], arguments[3]);
            default -> consume(arguments[1], arguments[2], arguments[3], Integer.parseInt(arguments[4]));
        };
        System.out.println("\n" + JSON.toJSONString(result, JSONWriter.Feature.WriteNulls));
        System.exit(0);
    }

    /** Sends one message and a batch with this namespace of the second kind. */
    private static Object namespaceV2(String nameServer, String topic, String namespace) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer("java_v2");
        producer.setNamesrvAddr(nameServer);
        producer.setNamespaceV2(namespace);
        producer.start();
        producer.send(new Message(topic, "single".getBytes()));
        producer.send(Arrays.asList(new Message(topic, "b0".getBytes())));
        producer.shutdown();
        return new ArrayList<>();
    }

    /** The results of a single message and of a batch of two, without or in a namespace. */
    private static Object results(String nameServer, String topic, String namespace) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer(namespace, "java_results");
        producer.setNamesrvAddr(nameServer);
        producer.start();
        List<Object> results = new ArrayList<>();
        results.add(fields(producer.send(new Message(topic, "single".getBytes()))));
        results.add(fields(producer.send(Arrays.asList(new Message(topic, "b0".getBytes()), new Message(topic, "b1".getBytes())))));
        producer.shutdown();
        return results;
    }

    private static Map<String, Object> fields(SendResult result) {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("sendStatus", result.getSendStatus().name());
        fields.put("msgId", result.getMsgId());
        fields.put("offsetMsgId", result.getOffsetMsgId());
        fields.put("topic", result.getMessageQueue().getTopic());
        fields.put("queueOffset", result.getQueueOffset());
        fields.put("transactionId", result.getTransactionId());
        fields.put("recallHandle", result.getRecallHandle());
        fields.put("regionId", result.getRegionId());
        fields.put("traceOn", result.isTraceOn());
        return fields;
    }

    /** The first messages of a topic in a namespace, as a consumer in that namespace sees them. */
    private static Object consume(String nameServer, String topic, String namespace, int count) throws Exception {
        BlockingQueue<Map<String, Object>> received = new LinkedBlockingQueue<>();
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(namespace, "java_in_namespace");
        consumer.setNamesrvAddr(nameServer);
        consumer.setHeartbeatBrokerInterval(1_000);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (MessageExt message : messages) {
                Map<String, Object> row = new LinkedHashMap<>();
                row.put("topic", message.getTopic());
                row.put("body", new String(message.getBody()));
                row.put("instanceId", message.getProperty("INSTANCE_ID"));
                received.add(row);
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        List<Object> rows = new ArrayList<>();
        while (rows.size() < count) {
            Map<String, Object> row = received.poll(60, TimeUnit.SECONDS);
            if (row == null) {
                throw new IllegalStateException("received " + rows.size() + " of " + count + " messages");
            }
            rows.add(row);
        }
        return rows;
    }
}
