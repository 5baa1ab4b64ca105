import com.alibaba.fastjson2.JSONObject;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** A member of a group of transaction producers, of Apache's client. */
final class Transactions implements TransactionListener {
    private static final Map<String, Transactions> MEMBERS = new ConcurrentHashMap<>();

    private final TransactionMQProducer producer;
    private final LocalTransactionState state;
    private final List<String> checked = Collections.synchronizedList(new ArrayList<>());

    private Transactions(JSONObject request) throws Exception {
        state = LocalTransactionState.valueOf(request.getString("state"));
        producer = new TransactionMQProducer(request.getString("group"), List.of(request.getString("topic")));
        producer.setNamesrvAddr(request.getString("nameServer"));
        producer.setTransactionListener(this);
        producer.start();
    }

    @Override
    public LocalTransactionState executeLocalTransaction(Message message, Object arg) {
        return LocalTransactionState.UNKNOW;
    }

    @Override
    public LocalTransactionState checkLocalTransaction(MessageExt message) {
        checked.add(message.getTransactionId());
        return state;
    }

    /** Starts a member that answers every check with the same state. Fields: nameServer, group, topic, state. */
    static void join(JSONObject request) throws Exception {
        MEMBERS.put(request.getString("group"), new Transactions(request));
    }

    /** Sends a half message and leaves its end to a check; its transaction id. Fields: group, topic, body. */
    static String send(JSONObject request) throws Exception {
        byte[] body = request.getString("body").getBytes(StandardCharsets.UTF_8);
        Message message = new Message(request.getString("topic"), body);
        return MEMBERS.get(request.getString("group")).producer.sendMessageInTransaction(message, null).getTransactionId();
    }

    /** Ends the member; the ids of the transactions that it was asked for. */
    static List<String> leave(JSONObject request) {
        Transactions member = MEMBERS.remove(request.getString("group"));
        member.producer.shutdown();
        return new ArrayList<>(member.checked);
    }
}
