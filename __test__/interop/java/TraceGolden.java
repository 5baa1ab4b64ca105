import com.alibaba.fastjson2.JSON;
import com.alibaba.fastjson2.JSONObject;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeSet;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.trace.TraceBean;
import org.apache.rocketmq.client.trace.TraceContext;
import org.apache.rocketmq.client.trace.TraceDataEncoder;
import org.apache.rocketmq.client.trace.TraceTransferBean;
import org.apache.rocketmq.client.trace.TraceType;
import org.apache.rocketmq.common.message.MessageType;

/**
 * Writes what Apache's TraceDataEncoder makes of the contexts in a JSON file: a line each, JSON with `data` and sorted
 * `keys`. Arguments: the file with the contexts, the file to write.
 */
public final class TraceGolden {
    private TraceGolden() {
    }

    public static void main(String[] args) throws Exception {
        String contexts = new String(Files.readAllBytes(Path.of(args[0])), StandardCharsets.UTF_8);
        StringBuilder out = new StringBuilder();
        for (JSONObject each : JSON.parseArray(contexts).toJavaList(JSONObject.class)) {
            TraceTransferBean encoded = TraceDataEncoder.encoderFromContextBean(contextOf(each));
            JSONObject line = new JSONObject();
            line.put("data", encoded.getTransData());
            line.put("keys", new TreeSet<>(encoded.getTransKey()));
            out.append(line.toJSONString()).append('\n');
        }
        Files.write(Path.of(args[1]), out.toString().getBytes(StandardCharsets.UTF_8));
        System.exit(0);
    }

    private static TraceContext contextOf(JSONObject from) {
        TraceBean bean = new TraceBean();
        bean.setTopic(from.getString("topic"));
        bean.setMsgId(from.getString("msgId"));
        bean.setTags(from.getString("tags"));
        bean.setKeys(from.getString("keys"));
        bean.setStoreHost(from.getString("storeHost"));
        bean.setMsgType(MessageType.valueOf(from.getString("msgType")));
        bean.setBodyLength(from.getIntValue("bodyLength"));
        bean.setOffsetMsgId(from.getString("offsetMsgId"));
        bean.setTransactionId(from.getString("transactionId"));
        if (from.containsKey("transactionState")) {
            bean.setTransactionState(LocalTransactionState.valueOf(from.getString("transactionState")));
        }
        bean.setFromTransactionCheck(from.getBooleanValue("fromTransactionCheck"));
        TraceContext context = new TraceContext();
        context.setTraceType(TraceType.valueOf(from.getString("traceType")));
        context.setTimeStamp(from.getLongValue("timeStamp"));
        context.setRegionId(from.getString("regionId"));
        context.setGroupName(from.getString("groupName"));
        context.setCostTime(from.getIntValue("costTime"));
        context.setSuccess(from.getBooleanValue("success"));
        context.setTraceBeans(List.of(bean));
        return context;
    }
}
