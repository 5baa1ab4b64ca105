import com.alibaba.fastjson2.JSON;
import com.alibaba.fastjson2.JSONObject;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.protocol.body.Connection;
import org.apache.rocketmq.remoting.protocol.body.ConsumeMessageDirectlyResult;
import org.apache.rocketmq.remoting.protocol.body.ConsumerRunningInfo;
import org.apache.rocketmq.remoting.protocol.body.ProcessQueueInfo;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/**
 * What mqadmin asks of clients through a broker, driven over stdin and stdout as PeerClient is, one request at a time. The
 * name server is the argument.
 */
public final class ClientRequests {
    private ClientRequests() {
    }

    public static void main(String[] arguments) throws Exception {
        PrintStream answers = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
        System.setOut(System.err);
        DefaultMQAdminExt admin = new DefaultMQAdminExt(10_000L);
        admin.setNamesrvAddr(arguments[0]);
        admin.start();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            JSONObject request = JSON.parseObject(line);
            JSONObject answer = new JSONObject();
            answer.put("id", request.getIntValue("id"));
            try {
                answer.put("result", perform(admin, request));
            } catch (Throwable e) {
                answer.put("error", e.toString());
            }
            answers.println(answer.toString());
        }
        System.exit(0);
    }

    private static Object perform(DefaultMQAdminExt admin, JSONObject request) throws Exception {
        String topic = request.getString("topic");
        String group = request.getString("group");
        String clientId = request.getString("clientId");
        switch (request.getString("op")) {
            case "resetOffsetByTime":
                return byQueue(admin.resetOffsetByTimestamp(topic, group, request.getLongValue("timestamp"), true));
            case "consumerStatus":
                return byQueue(admin.getConsumeStatus(topic, group, clientId).get(clientId));
            case "runningInfo":
                return runningInfo(admin.getConsumerRunningInfo(group, clientId, true));
            case "consumeMessageDirectly":
                ConsumeMessageDirectlyResult result =
                    admin.consumeMessageDirectly(group, clientId, topic, request.getString("msgId"));
                JSONObject told = new JSONObject();
                told.put("consumeResult", result.getConsumeResult().name());
                told.put("remark", result.getRemark());
                return told;
            case "producers":
                return admin.examineProducerConnectionInfo(group, topic).getConnectionSet().stream()
                    .map(Connection::getClientId).sorted().toArray();
            case "members":
                return admin.examineConsumerConnectionInfo(group).getConnectionSet().stream()
                    .map(Connection::getClientId).sorted().toArray();
            default:
                throw new IllegalArgumentException("no such op");
        }
    }

    private static Map<String, Long> byQueue(Map<MessageQueue, Long> offsets) {
        Map<String, Long> sorted = new TreeMap<>();
        offsets.forEach((queue, offset) -> sorted.put(String.valueOf(queue.getQueueId()), offset));
        return sorted;
    }

    private static JSONObject runningInfo(ConsumerRunningInfo info) {
        JSONObject told = new JSONObject();
        told.put("properties", info.getProperties());
        told.put("topics", info.getSubscriptionSet().stream().map(data -> data.getTopic()).toArray());
        Map<String, Long> offsets = new TreeMap<>();
        for (Map.Entry<MessageQueue, ProcessQueueInfo> entry : info.getMqTable().entrySet()) {
            offsets.put(entry.getKey().getTopic() + " " + entry.getKey().getQueueId(), entry.getValue().getCommitOffset());
        }
        told.put("offsets", offsets);
        told.put("jstack", info.getJstack());
        told.put("text", info.formatString());
        return told;
    }
}
