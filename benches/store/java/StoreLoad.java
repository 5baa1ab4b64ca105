import java.net.InetSocketAddress;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import org.apache.rocketmq.common.BrokerConfig;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageConst;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExtBrokerInner;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.GetMessageResult;
import org.apache.rocketmq.store.PutMessageResult;
import org.apache.rocketmq.store.config.FlushDiskType;
import org.apache.rocketmq.store.config.MessageStoreConfig;
import org.apache.rocketmq.store.stats.BrokerStatsManager;

/**
 * Apache's DefaultMessageStore in process; store_bench.rs does the same for ours. {@code StoreLoad DIR put|putSync|putSyncCalled|get
 * THREADS BODY_BYTES SECONDS WARMUP_SECONDS} prints a rate, {@code StoreLoad DIR open} how long load and start took, and ends without
 * closing the store. Puts carry a unique key and a key, go round 4 queues, dispatch and index run. One JSON line.
 */
public final class StoreLoad {
    private static final String TOPIC = "Bench";
    private static final String UNIQUE_KEY_START = "7F0000010000789F0000000";

    private static final InetSocketAddress HOST = new InetSocketAddress("127.0.0.1", 1234);

    private StoreLoad() {
    }

    public static void main(String[] arguments) throws Exception {
        String mode = arguments[1];
        MessageStoreConfig config = new MessageStoreConfig();
        config.setStorePathRootDir(arguments[0]);
        config.setStorePathCommitLog(arguments[0] + "/commitlog");
        config.setFlushDiskType(mode.startsWith("putSync") ? FlushDiskType.SYNC_FLUSH : FlushDiskType.ASYNC_FLUSH);
        config.setHaListenPort(0);
        config.setTimerWheelEnable(false);
        BrokerConfig brokerConfig = new BrokerConfig();
        DefaultMessageStore store = new DefaultMessageStore(config, new BrokerStatsManager(brokerConfig), null,
            brokerConfig, new ConcurrentHashMap<>());
        long started = System.nanoTime();
        if (!store.load()) {
            throw new IllegalStateException("the store cannot be loaded");
        }
        store.start();
        double openSeconds = (System.nanoTime() - started) / 1e9;
        double perSecond = mode.equals("open") ? 0 : measure(store, arguments);
        System.out.printf("{\"perSecond\":%.0f,\"openSeconds\":%.3f}%n", perSecond, openSeconds);
        System.out.flush();
        if (!mode.equals("open")) {
            store.shutdown();
        }
        Runtime.getRuntime().halt(0);
    }

    private static double measure(DefaultMessageStore store, String[] arguments) throws Exception {
        int threads = Integer.parseInt(arguments[2]);
        byte[] body = new byte[Integer.parseInt(arguments[3])];
        AtomicBoolean stop = new AtomicBoolean();
        LongAdder count = new LongAdder();
        Thread[] workers = new Thread[threads];
        for (int thread = 0; thread < threads; thread++) {
            int first = thread;
            boolean gets = arguments[1].equals("get");
            workers[thread] = new Thread(() -> {
                if (gets) {
                    get(store, first & 3, count, stop);
                } else {
                    put(store, first, body, count, stop);
                }
            });
        }
        ExecutorService caller = Executors.newSingleThreadExecutor();
        if (arguments[1].equals("putSyncCalled")) {
            for (int writer = 0; writer < threads; writer++) {
                int first = writer;
                caller.execute(() -> putCalled(store, first, body, count, stop, caller));
            }
        } else {
            for (Thread worker : workers) {
                worker.start();
            }
        }
        Thread.sleep(Integer.parseInt(arguments[5]) * 1000L);
        count.reset();
        long started = System.nanoTime();
        Thread.sleep(Integer.parseInt(arguments[4]) * 1000L);
        double rate = count.sum() / ((System.nanoTime() - started) / 1e9);
        stop.set(true);
        for (Thread worker : workers) {
            worker.join();
        }
        caller.shutdown();
        return rate;
    }

    private static void put(DefaultMessageStore store, int first, byte[] body, LongAdder count, AtomicBoolean stop) {
        for (long number = first; !stop.get(); number++) {
            check(store.putMessage(message(number, body)));
            count.increment();
        }
    }

    /** One thread for all writers: each is called when its message is on disk, as a broker's SendMessageProcessor is. */
    private static void putCalled(DefaultMessageStore store, long number, byte[] body, LongAdder count,
        AtomicBoolean stop, ExecutorService caller) {
        if (stop.get()) {
            return;
        }
        store.asyncPutMessage(message(number, body)).thenAcceptAsync(result -> {
            check(result);
            count.increment();
            putCalled(store, number + 1, body, count, stop, caller);
        }, caller);
    }

    private static void check(PutMessageResult result) {
        if (!result.isOk()) {
            throw new IllegalStateException("put failed: " + result.getPutMessageStatus());
        }
    }

    private static MessageExtBrokerInner message(long number, byte[] body) {
        MessageExtBrokerInner message = new MessageExtBrokerInner();
        message.setTopic(TOPIC);
        message.setBody(body);
        message.setQueueId((int) (number & 3));
        message.setBornTimestamp(System.currentTimeMillis());
        message.setBornHost(HOST);
        message.setStoreHost(HOST);
        message.setKeys("k" + number);
        String uniqueKey = UNIQUE_KEY_START + (100_000_000 + number % 100_000_000);
        MessageAccessor.putProperty(message, MessageConst.PROPERTY_UNIQ_CLIENT_MESSAGE_ID_KEYIDX, uniqueKey);
        message.setPropertiesString(MessageDecoder.messageProperties2String(message.getProperties()));
        return message;
    }

    private static void get(DefaultMessageStore store, int queueId, LongAdder count, AtomicBoolean stop) {
        long offset = 0;
        while (!stop.get()) {
            GetMessageResult result = store.getMessage("Group", TOPIC, queueId, offset, 32, null);
            if (result != null && result.getMessageCount() > 0) {
                count.add(result.getMessageCount());
                offset = result.getNextBeginOffset();
                result.release();
            } else {
                offset = store.getMinOffsetInQueue(TOPIC, queueId);
            }
        }
    }
}
