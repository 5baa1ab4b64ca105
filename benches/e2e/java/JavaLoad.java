import com.alibaba.fastjson2.JSON;
import com.alibaba.fastjson2.JSONObject;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;
import org.apache.rocketmq.remoting.protocol.SerializeType;

/**
 * Apache's client as a load; load-client.ts is the same for ours. One JSON request a line on stdin, {"id": n, "op":
 * "send" | "fill" | "drain", ...}, one JSON answer a line on stdout. Requests run one after another. The program ends
 * when stdin does. Arguments: NAME_SERVER TOPIC BODY_BYTES.
 */
public final class JavaLoad {
    private JavaLoad() {
    }

    public static void main(String[] arguments) throws Exception {
        PrintStream answers = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
        System.setOut(System.err);
        System.setProperty(RemotingCommand.SERIALIZE_TYPE_PROPERTY, SerializeType.ROCKETMQ.name());
        String nameServer = arguments[0];
        LoadProducer producer = new LoadProducer(nameServer, arguments[1], Integer.parseInt(arguments[2]));
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            JSONObject request = JSON.parseObject(line);
            JSONObject answer = new JSONObject();
            answer.put("id", request.getIntValue("id"));
            try {
                answer.put("result", perform(request, producer, nameServer));
            } catch (Throwable e) {
                e.printStackTrace();
                answer.put("error", e.toString());
            }
            answers.println(answer);
        }
        System.exit(0);
    }

    private static JSONObject perform(JSONObject request, LoadProducer producer, String nameServer) throws Exception {
        switch (request.getString("op")) {
            case "send":
                return producer.send(
                    request.getIntValue("inFlight"),
                    request.getString("style"),
                    request.getString("grouping"),
                    request.getDoubleValue("seconds"));
            case "fill":
                return producer.fill(request.getString("topic"), request.getIntValue("count"));
            case "drain":
                String topic = request.getString("topic");
                return LoadConsumer.drain(nameServer, topic, request.getString("group"), request.getIntValue("count"));
            default:
                throw new IllegalArgumentException("no such op: " + request.getString("op"));
        }
    }
}
