import com.alibaba.fastjson2.JSONObject;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.LongAdder;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;

/** Sends and counts the messages that the broker acknowledged. */
final class LoadProducer {
    private static final int BATCH_SIZE = 32;

    private final DefaultMQProducer producer = new DefaultMQProducer("load_producer");
    private final DefaultMQProducer batching = new DefaultMQProducer("load_batching");
    private final String topic;
    private final byte[] body;

    LoadProducer(String nameServer, String topic, int bodyBytes) throws Exception {
        this.topic = topic;
        body = new byte[bodyBytes];
        new Random(7).nextBytes(body);
        for (DefaultMQProducer each : List.of(producer, batching)) {
            each.setNamesrvAddr(nameServer);
            each.setSendMsgTimeout(10_000);
            each.setAutoBatch(each == batching);
            each.start();
        }
    }

    /**
     * Keeps inFlight requests under way: from one thread that only waits when so many are (pipelined), or from so many
     * threads that send synchronously, which gives latencies too. Grouping: one message a request (single), the client's
     * own accumulator (auto), or lists of messages, inFlight messages in all (batch).
     */
    JSONObject send(int inFlight, String style, String grouping, double seconds) throws Exception {
        long start = System.nanoTime();
        long end = start + (long) (seconds * 1e9);
        JSONObject result;
        if (grouping.equals("batch")) {
            int requests = inFlight / BATCH_SIZE;
            result = style.equals("pipelined") ? sendBatches(requests, end) : sendBatchesWaiting(requests, end);
        } else if (style.equals("pipelined")) {
            result = sendPipelined(grouping.equals("auto") ? batching : producer, inFlight, end);
        } else {
            result = sendWaiting(inFlight, end);
        }
        result.put("seconds", (System.nanoTime() - start) / 1e9);
        return result;
    }

    private JSONObject sendWaiting(int senders, long end) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(senders);
        try {
            List<Future<long[]>> running = new ArrayList<>();
            for (int i = 0; i < senders; i++) {
                running.add(threads.submit(() -> sendOneByOne(end)));
            }
            long[] nanos = new long[0];
            for (Future<long[]> sender : running) {
                int length = nanos.length;
                nanos = Arrays.copyOf(nanos, length + sender.get().length);
                System.arraycopy(sender.get(), 0, nanos, length, sender.get().length);
            }
            Arrays.sort(nanos);
            JSONObject result = new JSONObject();
            result.put("acked", nanos.length);
            result.put("failed", 0);
            result.put("p50Us", nanos[nanos.length / 2] / 1e3);
            result.put("p99Us", nanos[(int) (nanos.length * 0.99)] / 1e3);
            result.put("p999Us", nanos[(int) (nanos.length * 0.999)] / 1e3);
            return result;
        } finally {
            threads.shutdown();
        }
    }

    private long[] sendOneByOne(long end) throws Exception {
        long[] nanos = new long[1 << 16];
        int acked = 0;
        for (long now = System.nanoTime(); now < end; ) {
            SendResult sent = producer.send(new Message(topic, "TagA", body));
            long then = now;
            now = System.nanoTime();
            if (sent.getSendStatus() != SendStatus.SEND_OK) {
                throw new IllegalStateException(sent.toString());
            }
            if (acked == nanos.length) {
                nanos = Arrays.copyOf(nanos, acked * 2);
            }
            nanos[acked++] = now - then;
        }
        return Arrays.copyOf(nanos, acked);
    }

    private JSONObject sendPipelined(DefaultMQProducer sender, int inFlight, long end) throws Exception {
        Window window = new Window(inFlight, 1);
        while (System.nanoTime() < end) {
            window.room.acquire();
            sender.send(new Message(topic, "TagA", body), window);
        }
        return window.await();
    }

    private JSONObject sendBatches(int inFlight, long end) throws Exception {
        Window window = new Window(inFlight, BATCH_SIZE);
        while (System.nanoTime() < end) {
            window.room.acquire();
            producer.send(batch(topic, BATCH_SIZE), window);
        }
        return window.await();
    }

    private JSONObject sendBatchesWaiting(int senders, long end) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(senders);
        try {
            List<Future<Long>> running = new ArrayList<>();
            for (int i = 0; i < senders; i++) {
                running.add(threads.submit(() -> sendBatchAfterBatch(end)));
            }
            long acked = 0;
            for (Future<Long> sender : running) {
                acked += sender.get();
            }
            JSONObject result = new JSONObject();
            result.put("acked", acked);
            result.put("failed", 0);
            return result;
        } finally {
            threads.shutdown();
        }
    }

    private long sendBatchAfterBatch(long end) throws Exception {
        long acked = 0;
        while (System.nanoTime() < end) {
            SendResult sent = producer.send(batch(topic, BATCH_SIZE));
            if (sent.getSendStatus() != SendStatus.SEND_OK) {
                throw new IllegalStateException(sent.toString());
            }
            acked += BATCH_SIZE;
        }
        return acked;
    }

    private List<Message> batch(String batchTopic, int size) {
        List<Message> batch = new ArrayList<>(size);
        for (int i = 0; i < size; i++) {
            batch.add(new Message(batchTopic, "TagA", body));
        }
        return batch;
    }

    /** Lets so many requests be under way, and counts the messages in those that have ended. */
    private static final class Window implements SendCallback {
        final Semaphore room;
        private final int requests;
        private final int messages;
        private final LongAdder acked = new LongAdder();
        private final LongAdder failed = new LongAdder();

        Window(int requests, int messages) {
            room = new Semaphore(requests);
            this.requests = requests;
            this.messages = messages;
        }

        @Override
        public void onSuccess(SendResult sent) {
            (sent.getSendStatus() == SendStatus.SEND_OK ? acked : failed).add(messages);
            room.release();
        }

        @Override
        public void onException(Throwable e) {
            failed.add(messages);
            room.release();
        }

        JSONObject await() throws InterruptedException {
            room.acquire(requests);
            JSONObject result = new JSONObject();
            result.put("acked", acked.sum());
            result.put("failed", failed.sum());
            return result;
        }
    }

    /** Leaves a backlog of count messages on a topic, in batches: how they got there is not measured. */
    JSONObject fill(String backlogTopic, int count) throws Exception {
        for (int sent = 0; sent < count; sent += BATCH_SIZE) {
            SendResult result = producer.send(batch(backlogTopic, Math.min(BATCH_SIZE, count - sent)));
            if (result.getSendStatus() != SendStatus.SEND_OK) {
                throw new IllegalStateException(result.toString());
            }
        }
        return new JSONObject();
    }
}
