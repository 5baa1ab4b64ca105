import java.nio.ByteBuffer;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.GetMessageResult;
import org.apache.rocketmq.store.GetMessageStatus;

/**
 * Reads every message of a store directory with Apache's DefaultMessageStore:
 * {@code StoreReader DIR COMMIT_LOG_FILE_BYTES CONSUME_QUEUE_FILE_BYTES}. Lines as of StoreWriter, ordered by topic, queue, offset.
 */
public class StoreReader {
  public static void main(String[] args) throws Exception {
    DefaultMessageStore store = StoreWriter.open(args[0], args[1], args[2]);
    for (String topic : new TreeSet<>(store.getConsumeQueueTable().keySet())) {
      for (int queueId : new TreeMap<>(store.getConsumeQueueTable().get(topic)).keySet()) {
        long offset = store.getMinOffsetInQueue(topic, queueId);
        while (offset < store.getMaxOffsetInQueue(topic, queueId)) {
          GetMessageResult result = store.getMessage("reader", topic, queueId, offset, 32, null);
          if (result.getStatus() != GetMessageStatus.FOUND) {
            throw new IllegalStateException(topic + " " + queueId + " " + offset + ": " + result.getStatus());
          }
          for (ByteBuffer buffer : result.getMessageBufferList()) {
            MessageExt message = MessageDecoder.decode(buffer, true, false);
            StoreWriter.line(message.getTopic(), message.getQueueId(), message.getQueueOffset(), message.getCommitLogOffset(),
                message.getStoreTimestamp(), message.getBody(), message.getTags());
          }
          offset = result.getNextBeginOffset();
          result.release();
        }
      }
    }
    System.out.flush();
    store.shutdown();
    System.exit(0);
  }
}
