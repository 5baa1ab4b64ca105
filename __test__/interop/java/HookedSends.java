import com.alibaba.fastjson2.JSON;
import com.alibaba.fastjson2.JSONWriter;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.hook.CheckForbiddenContext;
import org.apache.rocketmq.client.hook.CheckForbiddenHook;
import org.apache.rocketmq.client.hook.EndTransactionContext;
import org.apache.rocketmq.client.hook.EndTransactionHook;
import org.apache.rocketmq.client.hook.SendMessageContext;
import org.apache.rocketmq.client.hook.SendMessageHook;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.RPCHook;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;

/**
 * What the hooks of Java's producer are told, those of hooks.test.ts in the same order: one JSON document on stdout, by
 * kind of send. Arguments: name server, topic, bytes of a body that is too large, and a namespace or nothing.
 */
public final class HookedSends {
    private static final Map<String, List<Map<String, Object>>> TOLD = new LinkedHashMap<>();
    private static List<Map<String, Object>> rows;
    private static CountDownLatch handedOver = new CountDownLatch(0);
    private static CountDownLatch requested = new CountDownLatch(0);

    private HookedSends() {
    }

    public static void main(String[] arguments) throws Exception {
        String topic = arguments[1];
        TransactionMQProducer producer =
            new TransactionMQProducer(arguments.length > 3 ? arguments[3] : null, "hooked", rpcHook(), false, null);
        producer.setNamesrvAddr(arguments[0]);
        producer.setSendMsgTimeout(10_000);
        producer.setClientIP("127.0.0.1");
        producer.setCompressMsgBodyOverHowmuch(1_000_000);
        producer.setTransactionListener(new Commit());
        producer.getDefaultMQProducerImpl().registerCheckForbiddenHook(checkForbiddenHook());
        producer.getDefaultMQProducerImpl().registerSendMessageHook(sendMessageHook());
        producer.getDefaultMQProducerImpl().registerEndTransactionHook(endTransactionHook());
        producer.start();
        rows = new ArrayList<>();
        // A queue that is given must be known.
        MessageQueue queue = producer.send(message(topic, "first")).getMessageQueue();

        begin("promise");
        producer.send(message(topic, "promise"));
        begin("queue");
        producer.send(message(topic, "queue"), queue);
        begin("callback");
        sendAndWait(producer, message(topic, "callback"));
        begin("oneway");
        requested = new CountDownLatch(1);
        producer.sendOneway(message(topic, "oneway"));
        requested.await();
        begin("batch");
        producer.send(List.of(message(topic, "b0"), message(topic, "b1")));
        begin("delayed");
        Message delayed = message(topic, "delayed");
        delayed.setDelayTimeLevel(1);
        producer.send(delayed);
        begin("transaction");
        requested = new CountDownLatch(2);
        producer.sendMessageInTransaction(message(topic, "transaction"), null);
        requested.await();
        byte[] large = new byte[Integer.parseInt(arguments[2])];
        begin("refused");
        try {
            producer.send(new Message(topic, large));
        } catch (MQBrokerException e) {
            // The hooks have heard of it.
        }
        begin("refused callback");
        sendAndWait(producer, new Message(topic, large));
        rows = new ArrayList<>();
        System.out.println("\n" + JSON.toJSONString(TOLD, JSONWriter.Feature.WriteNulls));
        System.exit(0);
    }

    private static Message message(String topic, String body) {
        Message message = new Message(topic, "TagH", "key", body.getBytes());
        message.putUserProperty("city", "Bern");
        return message;
    }

    private static void begin(String kind) {
        rows = Collections.synchronizedList(new ArrayList<>());
        TOLD.put(kind, rows);
    }

    /** Java calls the hooks behind such a send twice. The answer is held back until the first call is done, so that hooks are called in one order. */
    private static void sendAndWait(TransactionMQProducer producer, Message message) throws Exception {
        CountDownLatch answered = new CountDownLatch(1);
        handedOver = new CountDownLatch(1);
        producer.send(message, new SendCallback() {
            @Override
            public void onSuccess(SendResult sendResult) {
                answered.countDown();
            }

            @Override
            public void onException(Throwable e) {
                answered.countDown();
            }
        });
        answered.await();
    }

    private static Map<String, Object> row(String hook) {
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("hook", hook);
        return row;
    }

    private static void describe(Map<String, Object> row, Message message, MessageQueue queue) {
        row.put("topic", message.getTopic());
        row.put("bodyBytes", message.getBody().length);
        row.put("properties", new TreeMap<>(message.getProperties()));
        row.put("queueTopic", queue.getTopic());
        row.put("brokerName", queue.getBrokerName());
    }

    private static CheckForbiddenHook checkForbiddenHook() {
        return new CheckForbiddenHook() {
            @Override
            public String hookName() {
                return "check";
            }

            @Override
            public void checkForbidden(CheckForbiddenContext context) {
                Map<String, Object> row = row("check");
                row.put("nameSrvAddr", context.getNameSrvAddr());
                row.put("group", context.getGroup());
                row.put("mode", context.getCommunicationMode().name());
                row.put("brokerAddr", context.getBrokerAddr());
                row.put("unitMode", context.isUnitMode());
                describe(row, context.getMessage(), context.getMq());
                rows.add(row);
            }
        };
    }

    private static SendMessageHook sendMessageHook() {
        return new SendMessageHook() {
            @Override
            public String hookName() {
                return "recorder";
            }

            @Override
            public void sendMessageBefore(SendMessageContext context) {
                rows.add(fields("before", context));
            }

            @Override
            public void sendMessageAfter(SendMessageContext context) {
                rows.add(fields("after", context));
                handedOver.countDown();
            }
        };
    }

    private static Map<String, Object> fields(String hook, SendMessageContext context) {
        Map<String, Object> row = row(hook);
        row.put("group", context.getProducerGroup());
        row.put("mode", context.getCommunicationMode().name());
        row.put("brokerAddr", context.getBrokerAddr());
        row.put("bornHost", context.getBornHost());
        row.put("msgType", context.getMsgType().name());
        row.put("namespace", context.getNamespace());
        describe(row, context.getMessage(), context.getMq());
        SendResult result = context.getSendResult();
        row.put("sendStatus", result == null ? null : result.getSendStatus().name());
        row.put("resultTopic", result == null ? null : result.getMessageQueue().getTopic());
        row.put("sameQueue", result == null ? null : result.getMessageQueue().getQueueId() == context.getMq().getQueueId());
        Exception exception = context.getException();
        row.put("responseCode", exception instanceof MQBrokerException e ? e.getResponseCode() : null);
        return row;
    }

    private static EndTransactionHook endTransactionHook() {
        return new EndTransactionHook() {
            @Override
            public String hookName() {
                return "end";
            }

            @Override
            public void endTransaction(EndTransactionContext context) {
                Map<String, Object> row = row("end");
                row.put("group", context.getProducerGroup());
                row.put("brokerAddr", context.getBrokerAddr());
                row.put("state", context.getTransactionState().name());
                row.put("fromCheck", context.isFromTransactionCheck());
                row.put("topic", context.getMessage().getTopic());
                row.put("idIsMsgId", context.getMsgId().equals(context.getTransactionId()));
                rows.add(row);
            }
        };
    }

    /** Sends, and the ends of transactions; heartbeats and routes come whenever they come. */
    private static boolean counts(RemotingCommand request) {
        return request.getCode() == 310 || request.getCode() == 320 || request.getCode() == 37;
    }

    private static RPCHook rpcHook() {
        return new RPCHook() {
            @Override
            public void doBeforeRequest(String remoteAddr, RemotingCommand request) {
                if (!counts(request)) {
                    return;
                }
                request.makeCustomHeaderToNet();
                Map<String, Object> row = row("request");
                row.put("address", remoteAddr);
                row.put("code", request.getCode());
                row.put("fields", new TreeMap<>(request.getExtFields()));
                rows.add(row);
                requested.countDown();
            }

            @Override
            public void doAfterResponse(String remoteAddr, RemotingCommand request, RemotingCommand response) {
                if (!counts(request)) {
                    return;
                }
                Map<String, Object> row = row("response");
                row.put("address", remoteAddr);
                row.put("code", request.getCode());
                row.put("responseCode", response.getCode());
                rows.add(row);
                awaitHandedOver();
            }
        };
    }

    private static void awaitHandedOver() {
        try {
            handedOver.await(2, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static final class Commit implements TransactionListener {
        @Override
        public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
            return LocalTransactionState.COMMIT_MESSAGE;
        }

        @Override
        public LocalTransactionState checkLocalTransaction(MessageExt message) {
            return LocalTransactionState.COMMIT_MESSAGE;
        }
    }
}
