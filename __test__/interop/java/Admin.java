import com.alibaba.fastjson2.JSONObject;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.QueryResult;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.protocol.ResponseCode;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;
import org.apache.rocketmq.tools.command.topic.DeleteTopicSubCommand;

/** What mqadmin does, for the commands the tests need. */
final class Admin {
    private Admin() {
    }

    /** mqadmin updateTopic -b. Fields: nameServer, brokerAddress, topic, queues. */
    static void createTopic(JSONObject request) throws Exception {
        int queues = request.getIntValue("queues");
        DefaultMQAdminExt admin = start(request);
        try {
            TopicConfig topic = new TopicConfig(request.getString("topic"), queues, queues);
            admin.createAndUpdateTopicConfig(request.getString("brokerAddress"), topic);
        } finally {
            admin.shutdown();
        }
    }

    /** mqadmin deleteTopic -c. Fields: nameServer, cluster, topic. */
    static void deleteTopic(JSONObject request) throws Exception {
        DefaultMQAdminExt admin = start(request);
        try {
            DeleteTopicSubCommand.deleteTopic(admin, request.getString("cluster"), request.getString("topic"));
        } finally {
            admin.shutdown();
        }
    }

    /** mqadmin cleanUnusedTopic, cleanExpiredCQ and deleteExpiredCommitLog, all with -b. Fields: nameServer, brokerAddress. */
    static boolean clean(JSONObject request) throws Exception {
        String address = request.getString("brokerAddress");
        DefaultMQAdminExt admin = start(request);
        try {
            return admin.cleanUnusedTopicByAddr(address) & admin.cleanExpiredConsumerQueueByAddr(address)
                & admin.deleteExpiredCommitLogByAddr(address);
        } finally {
            admin.shutdown();
        }
    }

    /**
     * mqadmin queryMsgByKey (type K, or T for a tag) and queryMsgByUniqueKey (type U): the msgIds of what is found. Fields:
     * nameServer, cluster, topic, key, type.
     */
    static List<String> find(JSONObject request) throws Exception {
        String cluster = request.getString("cluster");
        String topic = request.getString("topic");
        String key = request.getString("key");
        String type = request.getString("type");
        long now = System.currentTimeMillis();
        long span = 36 * 3_600_000L;
        DefaultMQAdminExt admin = start(request);
        try {
            QueryResult result = type.equals("U")
                ? admin.queryMessageByUniqKey(cluster, topic, key, 32, now - span, now + span)
                : admin.queryMessage(cluster, topic, key, 64, 0, Long.MAX_VALUE, type, null);
            return result.getMessageList().stream().map(MessageExt::getMsgId).collect(Collectors.toList());
        } catch (MQClientException e) {
            if (e.getResponseCode() == ResponseCode.NO_MESSAGE) {
                return List.of();
            }
            throw e;
        } finally {
            admin.shutdown();
        }
    }

    private static DefaultMQAdminExt start(JSONObject request) throws Exception {
        DefaultMQAdminExt admin = new DefaultMQAdminExt(10_000L);
        admin.setNamesrvAddr(request.getString("nameServer"));
        admin.start();
        return admin;
    }
}
