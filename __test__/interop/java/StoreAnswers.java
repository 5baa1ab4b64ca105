import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.WritableByteChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.rocketmq.common.BoundaryType;
import org.apache.rocketmq.common.UtilAll;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.protocol.filter.FilterAPI;
import org.apache.rocketmq.store.DefaultMessageFilter;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.GetMessageResult;
import org.apache.rocketmq.store.MessageFilter;
import org.apache.rocketmq.store.QueryMessageResult;
import org.apache.rocketmq.store.SelectMappedBufferResult;

/**
 * Prints what a store answers to gets, look-ups by time, place and key, for every queue that ever held a message; the lines of
 * crates/testkit/src/bin/store_tool.rs.
 */
class StoreAnswers {
  static void print(DefaultMessageStore store) throws Exception {
    // Its getEarliestMessageTime fails at a record with an IPv6 host unless it has such an address itself.
    long earliest = store.getCommitLog().pickupStoreTimestamp(store.getMinPhyOffset(), MessageDecoder.MESSAGE_STORE_TIMESTAMP_POSITION + 20);
    System.out.println("store " + store.getMinPhyOffset() + " " + store.getMaxPhyOffset() + " " + earliest);
    MessageFilter tags = new DefaultMessageFilter(FilterAPI.buildSubscriptionData("any", "tag1 || tag2"));
    for (String topic : new TreeSet<>(store.getConsumeQueueTable().keySet())) {
      for (int queueId : new TreeMap<>(store.getConsumeQueueTable().get(topic)).keySet()) {
        if (store.getMaxOffsetInQueue(topic, queueId) > 0) {
          queue(store, topic, queueId, tags);
        }
      }
    }
  }

  private static void queue(DefaultMessageStore store, String topic, int queueId, MessageFilter tags) throws Exception {
    long min = store.getMinOffsetInQueue(topic, queueId);
    long max = store.getMaxOffsetInQueue(topic, queueId);
    String name = topic + " " + queueId;
    System.out.println("queue " + name + " " + min + " " + max + " " + store.getEarliestMessageTime(topic, queueId));
    TreeSet<Long> times = new TreeSet<>();
    TreeSet<String> keys = new TreeSet<>();
    for (long offset = Math.max(0, min - 2); offset < max + 3; offset++) {
      get(store, topic, queueId, offset, 32, Integer.MAX_VALUE, null);
      get(store, topic, queueId, offset, 100, 3000, tags);
      long time = store.getMessageStoreTimeStamp(topic, queueId, offset);
      if (offset >= min && offset < max) {
        long physicalOffset = store.getCommitLogOffsetInQueue(topic, queueId, offset);
        SelectMappedBufferResult record = store.selectOneMessageByOffset(physicalOffset);
        System.out.println("record " + name + " " + offset + " " + physicalOffset + " " + time + " " + bytes(List.of(record.getByteBuffer())));
        keys(MessageDecoder.decode(record.getByteBuffer(), false, false), keys);
        record.release();
        times.add(time - 1);
        times.add(time);
        times.add(time + 1);
      }
    }
    for (long time : times) {
      System.out.println("time " + name + " " + time + " " + store.getOffsetInQueueByTime(topic, queueId, time, BoundaryType.LOWER)
          + " " + store.getOffsetInQueueByTime(topic, queueId, time, BoundaryType.UPPER));
    }
    for (String key : keys) {
      query(store, topic, queueId, key);
    }
  }

  private static void keys(MessageExt message, TreeSet<String> keys) {
    if (message.getProperty("UNIQ_KEY") != null) {
      keys.add(message.getProperty("UNIQ_KEY"));
    }
    if (message.getKeys() != null) {
      keys.addAll(List.of(message.getKeys().split(" ")));
    }
  }

  /** After an unclean stop Apache's index may have a message twice; a place is printed once. */
  private static void query(DefaultMessageStore store, String topic, int queueId, String key) {
    QueryMessageResult result = store.queryMessage(topic, key, 64, 0, Long.MAX_VALUE);
    TreeSet<Long> places = new TreeSet<>();
    for (ByteBuffer record : result.getMessageBufferList()) {
      places.add(record.getLong(record.position() + MessageDecoder.MESSAGE_PHYSIC_OFFSET_POSITION));
    }
    result.release();
    System.out.println("query " + topic + " " + queueId + " " + key + " " + places);
  }

  private static void get(DefaultMessageStore store, String topic, int queueId, long offset, int count, int bytes, MessageFilter filter)
      throws Exception {
    GetMessageResult result = store.getMessage("reader", topic, queueId, offset, count, bytes, filter);
    List<ByteBuffer> records = new ArrayList<>(result.getMessageBufferList());
    System.out.println("get " + topic + " " + queueId + " " + offset + " " + count + " " + result.getStatus() + " "
        + result.getNextBeginOffset() + " " + result.getMinOffset() + " " + result.getMaxOffset() + " " + result.getMessageCount()
        + " " + bytes(records));
    result.release();
  }

  /** How many and their CRC. */
  private static String bytes(List<ByteBuffer> buffers) throws Exception {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    WritableByteChannel channel = Channels.newChannel(all);
    for (ByteBuffer buffer : buffers) {
      channel.write(buffer.duplicate());
    }
    return all.size() + " " + UtilAll.crc32(all.toByteArray());
  }
}
