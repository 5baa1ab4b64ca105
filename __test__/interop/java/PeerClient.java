import com.alibaba.fastjson2.JSON;
import com.alibaba.fastjson2.JSONObject;
import com.alibaba.fastjson2.JSONWriter;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * Apache's Java client, driven over stdin and stdout: one JSON request a line, {"id": n, "op": "...", ...}, one JSON
 * answer a line, {"id": n, "result": ...} or {"id": n, "error": "..."}. Requests run side by side. The program ends
 * when stdin does, so it never outlives the test that started it.
 *
 * <p>The header encoding is chosen for the whole process: -Drocketmq.serialize.type=JSON or ROCKETMQ.
 */
public final class PeerClient {
    private final ExecutorService requests = Executors.newCachedThreadPool();
    private final Map<String, Member> members = new ConcurrentHashMap<>();
    private final PrintStream answers;

    private PeerClient(PrintStream answers) {
        this.answers = answers;
    }

    public static void main(String[] arguments) throws Exception {
        // Whatever libraries print must not get between the answers.
        PrintStream answers = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
        System.setOut(System.err);
        PeerClient client = new PeerClient(answers);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            JSONObject request = JSON.parseObject(line);
            client.requests.execute(() -> client.answer(request));
        }
        System.exit(0);
    }

    private void answer(JSONObject request) {
        JSONObject answer = new JSONObject();
        answer.put("id", request.getIntValue("id"));
        try {
            answer.put("result", perform(request));
        } catch (Throwable e) {
            StringWriter trace = new StringWriter();
            e.printStackTrace(new PrintWriter(trace));
            answer.put("error", trace.toString());
        }
        String line = answer.toString(JSONWriter.Feature.WriteNulls);
        synchronized (answers) {
            answers.println(line);
        }
    }

    private Object perform(JSONObject request) throws Exception {
        String op = request.getString("op");
        switch (op) {
            case "produce":
                return Produce.run(request);
            case "join":
                members.put(request.getString("member"), Member.join(request));
                return null;
            case "received":
                return member(request).received(request.getIntValue("atLeast"), request.getLongValue("timeoutMs"));
            case "assignment":
                return member(request).assignment();
            case "leave":
                members.remove(request.getString("member")).leave();
                return null;
            case "createTopic":
                Admin.createTopic(request);
                return null;
            case "deleteTopic":
                Admin.deleteTopic(request);
                return null;
            case "clean":
                return Admin.clean(request);
            case "find":
                return Admin.find(request);
            case "startReplier":
                RequestReply.startReplier(request);
                return null;
            case "endReplier":
                return RequestReply.endReplier(request);
            case "request":
                return RequestReply.request(request);
            case "joinTransactions":
                Transactions.join(request);
                return null;
            case "sendInTransaction":
                return Transactions.send(request);
            case "leaveTransactions":
                return Transactions.leave(request);
            default:
                throw new IllegalArgumentException("no such op: " + op);
        }
    }

    private Member member(JSONObject request) {
        Member member = members.get(request.getString("member"));
        if (member == null) {
            throw new IllegalArgumentException("no such member: " + request.getString("member"));
        }
        return member;
    }
}
