import com.alibaba.fastjson2.JSONObject;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/** What mqadmin does, for the commands the tests need. */
final class Admin {
    private Admin() {
    }

    /** mqadmin updateTopic -b. Fields: nameServer, brokerAddress, topic, queues. */
    static void createTopic(JSONObject request) throws Exception {
        int queues = request.getIntValue("queues");
        DefaultMQAdminExt admin = new DefaultMQAdminExt(10_000L);
        admin.setNamesrvAddr(request.getString("nameServer"));
        admin.start();
        try {
            TopicConfig topic = new TopicConfig(request.getString("topic"), queues, queues);
            admin.createAndUpdateTopicConfig(request.getString("brokerAddress"), topic);
        } finally {
            admin.shutdown();
        }
    }
}
