import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import org.apache.rocketmq.common.BrokerConfig;
import org.apache.rocketmq.common.MixAll;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.MappedFileQueue;
import org.apache.rocketmq.store.config.MessageStoreConfig;
import org.apache.rocketmq.store.queue.ConsumeQueueInterface;
import org.apache.rocketmq.store.queue.ConsumeQueueStore;
import org.apache.rocketmq.store.queue.CqUnit;
import org.apache.rocketmq.store.stats.BrokerStatsManager;

/**
 * Opens a store directory with Apache's DefaultMessageStore, does what the arguments say, in order, and closes it:
 * {@code StorePeer DIR [KEY=VALUE...] [answers | fill KIND COUNT FROM | behead FILES | delete TOPIC | halt]...}, keys of
 * MessageStoreConfig. "answers" prints what the store answers (StoreAnswers), "fill" adds messages (StoreKinds), "behead" deletes
 * the first commit log files as retention does, "delete" deletes a topic, and "halt" ends the process without closing the store.
 * What store_tool of this repository does.
 */
public class StorePeer {
  public static void main(String[] args) {
    try {
      run(args);
    } catch (Throwable failure) {
      failure.printStackTrace();
      // The store's threads would keep the process alive.
      Runtime.getRuntime().halt(1);
    }
  }

  private static void run(String[] args) throws Exception {
    List<String> words = Arrays.asList(args);
    Properties keys = new Properties();
    int at = 1;
    for (; at < args.length && args[at].contains("="); at++) {
      String[] pair = args[at].split("=", 2);
      keys.setProperty(pair[0], pair[1]);
    }
    DefaultMessageStore store = open(args[0], keys);
    while (at < args.length) {
      String word = words.get(at++);
      switch (word) {
        case "answers":
          awaitDispatch(store);
          StoreAnswers.print(store);
          break;
        case "fill":
          StoreKinds.fill(store, words.get(at), Integer.parseInt(words.get(at + 1)), Integer.parseInt(words.get(at + 2)));
          awaitDispatch(store);
          at += 3;
          break;
        case "behead":
          behead(store, Integer.parseInt(words.get(at++)));
          break;
        case "delete":
          if (store.deleteTopics(Collections.singleton(words.get(at++))) != 1) {
            throw new IllegalStateException("no such topic");
          }
          break;
        case "halt":
          System.out.flush();
          Runtime.getRuntime().halt(0);
          break;
        default:
          throw new IllegalArgumentException(word);
      }
    }
    System.out.flush();
    store.shutdown();
    System.exit(0);
  }

  private static DefaultMessageStore open(String dir, Properties keys) throws Exception {
    MessageStoreConfig config = new MessageStoreConfig();
    config.setStorePathRootDir(dir);
    config.setStorePathCommitLog(dir + "/commitlog");
    config.setHaListenPort(0);
    config.setTimerWheelEnable(false);
    MixAll.properties2Object(keys, config);
    BrokerConfig broker = new BrokerConfig();
    ConcurrentMap<String, TopicConfig> topics = new ConcurrentHashMap<>();
    TopicConfig batches = new TopicConfig(StoreKinds.BATCH_CQ_TOPIC);
    batches.getAttributes().put("queue.type", "BatchCQ");
    topics.put(StoreKinds.BATCH_CQ_TOPIC, batches);
    DefaultMessageStore store = new DefaultMessageStore(config, new BrokerStatsManager(broker), null, broker, topics);
    if (!store.load()) {
      throw new IllegalStateException("load failed, see the store log");
    }
    store.start();
    return store;
  }

  private static void awaitDispatch(DefaultMessageStore store) throws Exception {
    while (store.dispatchBehindBytes() > 0) {
      // The store offers nothing to wait for: this is asked again and again.
      Thread.yield();
    }
  }

  /** A file that is being flushed at the moment is marked only, and goes with a later attempt. */
  private static void behead(DefaultMessageStore store, int files) throws Exception {
    MappedFileQueue log = store.getCommitLog().getMappedFileQueue();
    int left = Math.max(1, log.getMappedFiles().size() - files);
    for (int surplus; (surplus = log.getMappedFiles().size() - left) > 0; ) {
      if (log.getFirstMappedFile().isAvailable()) {
        // Every file is expired; the last stays.
        store.getCommitLog().deleteExpiredFile(-1_000_000_000L, 0, 60_000, true, surplus);
      } else {
        store.getCommitLog().retryDeleteFirstFile(60_000);
      }
    }
    ConsumeQueueStore queues = (ConsumeQueueStore) store.getQueueStore();
    for (ConcurrentMap<Integer, ConsumeQueueInterface> ofTopic : queues.getConsumeQueueTable().values()) {
      for (ConsumeQueueInterface queue : ofTopic.values()) {
        do {
          queues.deleteExpiredFile(queue, store.getMinPhyOffset());
        } while (beginsBefore(queue, store.getMinPhyOffset()));
      }
    }
  }

  /** Whether the first unit of a queue, which may be in a file that is marked, is not known to point into the log. */
  private static boolean beginsBefore(ConsumeQueueInterface queue, long minPhyOffset) {
    long min = queue.getMinOffsetInQueue();
    CqUnit first = queue.get(min);
    return min < queue.getMaxOffsetInQueue() && (first == null || first.getPos() < minPhyOffset);
  }
}
