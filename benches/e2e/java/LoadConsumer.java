import com.alibaba.fastjson2.JSONObject;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;

/** Reads a backlog with a push consumer. */
final class LoadConsumer {
    private LoadConsumer() {
    }

    /** Reads count messages as a new group and times from the first message to the last. */
    static JSONObject drain(String nameServer, String topic, String group, long count) throws Exception {
        AtomicLong received = new AtomicLong();
        AtomicLong firstNanos = new AtomicLong();
        AtomicLong lastNanos = new AtomicLong();
        CountDownLatch all = new CountDownLatch(1);
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group);
        consumer.setNamesrvAddr(nameServer);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setPullBatchSize(32);
        consumer.setConsumeMessageBatchMaxSize(32);
        consumer.setPullThresholdForQueue(10_000);
        consumer.setPullThresholdSizeForQueue(1_000);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            firstNanos.compareAndSet(0, System.nanoTime());
            if (received.addAndGet(messages.size()) >= count && lastNanos.compareAndSet(0, System.nanoTime())) {
                all.countDown();
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        boolean complete = all.await(120, TimeUnit.SECONDS);
        consumer.shutdown();
        if (!complete) {
            throw new IllegalStateException("received " + received.get() + " of " + count + " messages");
        }
        JSONObject result = new JSONObject();
        result.put("messages", received.get());
        result.put("seconds", (lastNanos.get() - firstNanos.get()) / 1e9);
        return result;
    }
}
