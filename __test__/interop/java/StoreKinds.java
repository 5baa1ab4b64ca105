import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExtBatch;
import org.apache.rocketmq.common.message.MessageExtBrokerInner;
import org.apache.rocketmq.common.sysflag.MessageSysFlag;
import org.apache.rocketmq.store.AppendMessageResult;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.PutMessageResult;

/** Puts messages of all kinds that a broker stores, as its processors make them. */
class StoreKinds {
  static final String BATCH_CQ_TOPIC = "Inner-batches";
  private static final String HALF_TOPIC = "RMQ_SYS_TRANS_HALF_TOPIC";
  private static final String DONE_TOPIC = "RMQ_SYS_TRANS_OP_HALF_TOPIC";

  static void fill(DefaultMessageStore store, String kind, int count, int from) {
    for (int number = from; number < from + count; number++) {
      switch (kind) {
        case "plain":
          put(store, plain(new String[] {"Alpha", "Beta-topic"}[number % 2], number));
          break;
        case "long":
          put(store, plain("long_" + "t".repeat(110 + number % 4 * 30), number));
          break;
        case "batch":
          batch(store, number);
          break;
        case "transaction":
          transaction(store, number);
          break;
        case "delayed":
          put(store, delayed(number));
          break;
        case "hosts":
          MessageExtBrokerInner v6 = plain("Hosts", number);
          host(v6, number % 2 == 0, number % 3 == 0);
          put(store, v6);
          break;
        case "compressed":
          MessageExtBrokerInner compressed = plain("Compressed", number);
          compressed.setSysFlag(MessageSysFlag.COMPRESSED_FLAG | number % 4 << 8);
          put(store, compressed);
          break;
        case "light":
          MessageExtBrokerInner light = plain("Light-parent", number);
          MessageAccessor.putProperty(light, "INNER_MULTI_DISPATCH", number % 2 == 0 ? "%LMQ%a,%LMQ%b" : "%LMQ%b");
          put(store, light);
          break;
        case "inner-batch":
          MessageExtBrokerInner inner = plain(BATCH_CQ_TOPIC, number);
          inner.setSysFlag(MessageSysFlag.INNER_BATCH_FLAG | MessageSysFlag.NEED_UNWRAP_FLAG);
          MessageAccessor.putProperty(inner, "INNER_NUM", String.valueOf(1 + number % 5));
          put(store, inner);
          break;
        default:
          throw new IllegalArgumentException(kind);
      }
    }
  }

  private static MessageExtBrokerInner plain(String topic, int number) {
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
    host(message, false, false);
    MessageAccessor.putProperty(message, "UNIQ_KEY", String.format("7F0000010000789F%016X", number));
    message.setTagsCode(MessageExtBrokerInner.tagsString2tagsCode(message.getTags()));
    return message;
  }

  private static void host(MessageExtBrokerInner message, boolean bornV6, boolean storeV6) {
    message.setBornHost(new InetSocketAddress(bornV6 ? "::1" : "127.0.0.1", 1000));
    message.setStoreHost(new InetSocketAddress(storeV6 ? "fe80::2" : "127.0.0.1", 10911));
    if (bornV6) {
      message.setBornHostV6Flag();
    }
    if (storeV6) {
      message.setStoreHostAddressV6Flag();
    }
  }

  /** As ScheduleMessageService stores it; levels above the last count as the last. */
  private static MessageExtBrokerInner delayed(int number) {
    int level = 1 + number % 20;
    MessageExtBrokerInner message = plain("SCHEDULE_TOPIC_XXXX", number);
    message.setQueueId(Math.min(level, 18) - 1);
    message.setDelayTimeLevel(level);
    MessageAccessor.putProperty(message, "REAL_TOPIC", "Alpha");
    MessageAccessor.putProperty(message, "REAL_QID", "1");
    return message;
  }

  /** Half message, then commit or rollback of it, as TransactionalMessageBridge does; and the flags of older versions. */
  private static void transaction(DefaultMessageStore store, int number) {
    MessageExtBrokerInner half = plain(HALF_TOPIC, number);
    half.setQueueId(0);
    MessageAccessor.putProperty(half, "TRAN_MSG", "true");
    MessageAccessor.putProperty(half, "PGROUP", "producers");
    MessageAccessor.putProperty(half, "REAL_TOPIC", "Alpha");
    MessageAccessor.putProperty(half, "REAL_QID", "2");
    AppendMessageResult placed = put(store, half);
    if (number % 3 != 0) {
      MessageExtBrokerInner committed = plain("Alpha", number);
      committed.setQueueId(2);
      committed.setSysFlag(MessageSysFlag.TRANSACTION_COMMIT_TYPE);
      committed.setPreparedTransactionOffset(placed.getWroteOffset());
      put(store, committed);
    }
    MessageExtBrokerInner done = plain(DONE_TOPIC, number);
    done.setQueueId(0);
    done.setTags("d");
    done.setTagsCode(MessageExtBrokerInner.tagsString2tagsCode("d"));
    done.setBody(String.valueOf(placed.getLogicsOffset()).getBytes(StandardCharsets.UTF_8));
    put(store, done);
    MessageExtBrokerInner old = plain("Alpha", number);
    old.setSysFlag(number % 2 == 0 ? MessageSysFlag.TRANSACTION_PREPARED_TYPE : MessageSysFlag.TRANSACTION_ROLLBACK_TYPE);
    old.setPreparedTransactionOffset(placed.getWroteOffset());
    put(store, old);
  }

  private static void batch(DefaultMessageStore store, int number) {
    List<Message> messages = new ArrayList<>();
    for (int index = 0; index < 1 + number % 40; index++) {
      messages.add(new Message("Alpha", "tag" + index % 3, ("batch " + number + " item " + index).getBytes(StandardCharsets.UTF_8)));
    }
    MessageExtBatch batch = new MessageExtBatch();
    batch.setTopic("Alpha");
    batch.setQueueId(number % 3);
    batch.setBornTimestamp(System.currentTimeMillis());
    batch.setBornHost(new InetSocketAddress("127.0.0.1", 2000));
    batch.setStoreHost(new InetSocketAddress("127.0.0.1", 10911));
    batch.setBody(MessageDecoder.encodeMessages(messages));
    check(store.putMessages(batch), number);
  }

  private static AppendMessageResult put(DefaultMessageStore store, MessageExtBrokerInner message) {
    message.setPropertiesString(MessageDecoder.messageProperties2String(message.getProperties()));
    PutMessageResult result = store.putMessage(message);
    check(result, message.getFlag());
    return result.getAppendMessageResult();
  }

  private static void check(PutMessageResult result, int number) {
    if (!result.isOk()) {
      throw new IllegalStateException("message " + number + ": " + result.getPutMessageStatus());
    }
  }
}
