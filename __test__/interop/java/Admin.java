import com.alibaba.fastjson2.JSONObject;
import org.apache.rocketmq.common.TopicConfig;
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

    private static DefaultMQAdminExt start(JSONObject request) throws Exception {
        DefaultMQAdminExt admin = new DefaultMQAdminExt(10_000L);
        admin.setNamesrvAddr(request.getString("nameServer"));
        admin.start();
        return admin;
    }
}
