import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.rocketmq.common.BrokerConfig;
import org.apache.rocketmq.common.UtilAll;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExtBatch;
import org.apache.rocketmq.common.message.MessageExtBrokerInner;
import org.apache.rocketmq.common.sysflag.MessageSysFlag;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.PutMessageResult;
import org.apache.rocketmq.store.config.MessageStoreConfig;
import org.apache.rocketmq.store.stats.BrokerStatsManager;

/**
 * Writes a store directory with Apache's DefaultMessageStore:
 * {@code StoreWriter DIR COMMIT_LOG_FILE_BYTES CONSUME_QUEUE_FILE_BYTES MESSAGES [halt]}.
 * Adds to what is in DIR. Prints one line per message that a queue holds: topic, queue id, queue offset, physical offset, store
 * timestamp, CRC of the body, tag or "-". With "halt" the process dies without closing the store.
 */
public class StoreWriter {
  static DefaultMessageStore open(String dir, String commitLogBytes, String queueBytes) throws Exception {
    MessageStoreConfig config = new MessageStoreConfig();
    config.setStorePathRootDir(dir);
    config.setStorePathCommitLog(dir + "/commitlog");
    config.setMappedFileSizeCommitLog(Integer.parseInt(commitLogBytes));
    config.setMappedFileSizeConsumeQueue(Integer.parseInt(queueBytes));
    config.setMaxHashSlotNum(1000);
    config.setMaxIndexNum(4000);
    config.setHaListenPort(0);
    config.setTimerWheelEnable(false);
    BrokerConfig broker = new BrokerConfig();
    DefaultMessageStore store = new DefaultMessageStore(config, new BrokerStatsManager(broker), null, broker, new ConcurrentHashMap<>());
    if (!store.load()) {
      throw new IllegalStateException("load failed, see the store log");
    }
    store.start();
    return store;
  }

  static void line(String topic, int queueId, long queueOffset, long physicalOffset, long storeTimestamp, byte[] body, String tag) {
    System.out.println(topic + " " + queueId + " " + queueOffset + " " + physicalOffset + " " + storeTimestamp + " "
        + UtilAll.crc32(body) + " " + (tag == null ? "-" : tag));
  }

  static MessageExtBrokerInner message(String topic, int number) {
    MessageExtBrokerInner message = new MessageExtBrokerInner();
    message.setTopic(topic);
    message.setQueueId(number % 3);
    message.setBody(("body " + number + " of Java ".repeat(1 + number % 40)).getBytes(StandardCharsets.UTF_8));
    if (number % 4 != 0) {
      message.setTags("tag" + number % 4);
    }
    message.setKeys("key" + number);
    message.setFlag(number);
    message.setBornTimestamp(System.currentTimeMillis());
    // An IPv6 host makes a longer record.
    message.setBornHost(new InetSocketAddress(number % 5 == 0 ? "::1" : "127.0.0.1", 1000 + number % 1000));
    message.setStoreHost(new InetSocketAddress("127.0.0.1", 10911));
    if (number % 11 == 0) {
      message.setSysFlag(MessageSysFlag.TRANSACTION_PREPARED_TYPE);
    } else if (number % 13 == 0) {
      message.setSysFlag(MessageSysFlag.TRANSACTION_COMMIT_TYPE);
    }
    if (number % 5 == 0) {
      message.setBornHostV6Flag();
    }
    MessageAccessor.putProperty(message, "UNIQ_KEY", String.format("7F0000010000789F%016X", number));
    message.setTagsCode(MessageExtBrokerInner.tagsString2tagsCode(message.getTags()));
    message.setPropertiesString(MessageDecoder.messageProperties2String(message.getProperties()));
    return message;
  }

  public static void main(String[] args) throws Exception {
    DefaultMessageStore store = open(args[0], args[1], args[2]);
    int messages = Integer.parseInt(args[3]);
    String[] topics = {"Alpha", "Beta-topic", "long_" + "t".repeat(115)};
    for (int number = 0; number < messages; number++) {
      String topic = topics[number % topics.length];
      if (number % 50 == 49) {
        batch(store, topic, number);
        continue;
      }
      MessageExtBrokerInner message = message(topic, number);
      PutMessageResult result = store.putMessage(message);
      check(result, number);
      if (message.getSysFlag() % 16 / 4 != 1) {
        line(topic, message.getQueueId(), result.getAppendMessageResult().getLogicsOffset(), result.getAppendMessageResult().getWroteOffset(),
            result.getAppendMessageResult().getStoreTimestamp(), message.getBody(), message.getTags());
      }
    }
    System.out.flush();
    if (args.length > 4 && args[4].equals("halt")) {
      Runtime.getRuntime().halt(0);
    }
    while (store.dispatchBehindBytes() > 0) {
      Thread.sleep(10);
    }
    store.shutdown();
    System.exit(0);
  }

  static void batch(DefaultMessageStore store, String topic, int number) {
    List<Message> inner = new ArrayList<>();
    for (int index = 0; index < 8; index++) {
      inner.add(new Message(topic, "tag" + index % 3, ("batch " + number + " item " + index).getBytes(StandardCharsets.UTF_8)));
    }
    MessageExtBatch batch = new MessageExtBatch();
    batch.setTopic(topic);
    batch.setQueueId(1);
    batch.setBornTimestamp(System.currentTimeMillis());
    batch.setBornHost(new InetSocketAddress("127.0.0.1", 2000));
    batch.setStoreHost(new InetSocketAddress("127.0.0.1", 10911));
    batch.setBody(MessageDecoder.encodeMessages(inner));
    PutMessageResult result = store.putMessages(batch);
    check(result, number);
    String[] ids = result.getAppendMessageResult().getMsgId().split(",");
    for (int index = 0; index < inner.size(); index++) {
      long physicalOffset = Long.parseLong(ids[index].substring(16), 16);
      line(topic, 1, result.getAppendMessageResult().getLogicsOffset() + index, physicalOffset,
          result.getAppendMessageResult().getStoreTimestamp(), inner.get(index).getBody(), inner.get(index).getTags());
    }
  }

  static void check(PutMessageResult result, int number) {
    if (!result.isOk()) {
      throw new IllegalStateException("message " + number + ": " + result.getPutMessageStatus());
    }
  }
}
