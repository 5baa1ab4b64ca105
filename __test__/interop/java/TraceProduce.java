import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;

/**
 * Sends messages of several kinds with message trace on, those of message-trace.test.ts in the same order. Arguments: name
 * server, group, topic.
 */
public final class TraceProduce {
    private TraceProduce() {
    }

    public static void main(String[] args) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer(args[1], true, null);
        producer.setNamesrvAddr(args[0]);
        producer.setSendMsgTimeout(10_000);
        producer.start();
        String topic = args[2];
        producer.send(message(topic, "plain"));
        Message tagged = message(topic, "tagged");
        tagged.setTags("x");
        tagged.setKeys(List.of("k1", "k2"));
        producer.send(tagged);
        producer.send(message(topic, "a".repeat(10_000)));
        Message delayed = message(topic, "delayed");
        delayed.setDelayTimeLevel(1);
        producer.send(delayed);
        producer.send(List.of(message(topic, "first"), message(topic, "second")));
        CountDownLatch answered = new CountDownLatch(1);
        producer.send(message(topic, "callback"), new SendCallback() {
            @Override
            public void onSuccess(SendResult sendResult) {
                answered.countDown();
            }

            @Override
            public void onException(Throwable e) {
                e.printStackTrace();
            }
        });
        answered.await();
        producer.sendOneway(message(topic, "oneway"));
        producer.shutdown();
        System.exit(0);
    }

    private static Message message(String topic, String body) {
        return new Message(topic, body.getBytes(StandardCharsets.UTF_8));
    }
}
