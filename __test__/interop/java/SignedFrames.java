import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import org.apache.rocketmq.acl.common.AclClientRPCHook;
import org.apache.rocketmq.acl.common.AclUtils;
import org.apache.rocketmq.acl.common.SessionCredentials;
import org.apache.rocketmq.remoting.CommandCustomHeader;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;
import org.apache.rocketmq.remoting.protocol.SerializeType;

/**
 * Frames signed by Apache's AclClientRPCHook, in both encodings. The users are those of crates/codec/tests/golden/signed.rs: without a
 * security token, with one, and with a secret key longer than a block of SHA-1.
 */
final class SignedFrames {
    private static final SessionCredentials PLAIN = new SessionCredentials("alice", "12345678");
    private static final SessionCredentials TOKEN = new SessionCredentials("bob", "gr\u00fc\u00dfe", "token/+=");
    private static final SessionCredentials LONG = new SessionCredentials("carol", "k".repeat(100));

    private SignedFrames() {
    }

    /** What makes a request. */
    interface Make {
        RemotingCommand command() throws Exception;
    }

    /** Signs what `make` makes as each user, in each encoding, and hands out name and bytes. */
    static void write(String name, Make make, BiConsumer<String, byte[]> out) throws Exception {
        for (SessionCredentials user : new SessionCredentials[] {PLAIN, TOKEN, LONG}) {
            for (SerializeType type : SerializeType.values()) {
                RemotingCommand command = make.command();
                command.setSerializeTypeCurrentRPC(type);
                new AclClientRPCHook(user).doBeforeRequest("127.0.0.1:10911", command);
                byte[] frame = encode(command);
                checkAsBroker(name, frame, user);
                out.accept(name + "." + user.getAccessKey() + "." + type.name().toLowerCase(), frame);
            }
        }
    }

    /**
     * A binary field with an empty value. Apache's client signs it as empty and its broker reads null and signs that: they do not
     * agree. The signature here is the broker's.
     */
    static void writeEmptyValue(int code, BiConsumer<String, byte[]> out) throws Exception {
        RemotingCommand command = RemotingCommand.createRequestCommand(code, null);
        command.setVersion(513);
        command.setOpaque(7);
        command.setSerializeTypeCurrentRPC(SerializeType.ROCKETMQ);
        command.addExtField("topic", "");
        command.addExtField("group", "CG");
        command.addExtField(SessionCredentials.ACCESS_KEY, PLAIN.getAccessKey());
        command.addExtField(SessionCredentials.SIGNATURE, brokerSignature(encode(command), PLAIN));
        out.accept("empty_value.alice.rocketmq", encode(command));
    }

    private static byte[] encode(RemotingCommand command) {
        ByteBuf buffer = Unpooled.buffer();
        command.fastEncodeHeader(buffer);
        if (command.getBody() != null) {
            buffer.writeBytes(command.getBody());
        }
        byte[] bytes = new byte[buffer.readableBytes()];
        buffer.readBytes(bytes);
        return bytes;
    }

    /** auth/authentication/builder/DefaultAuthenticationContextBuilder#build. */
    private static String brokerSignature(byte[] frame, SessionCredentials user) throws Exception {
        RemotingCommand read = RemotingCommand.decode(ByteBuffer.wrap(frame, 4, frame.length - 4).slice());
        SortedMap<String, String> fields = new TreeMap<>(read.getExtFields());
        return AclUtils.calSignature(AclUtils.combineRequestContent(read, fields), user.getSecretKey());
    }

    private static void checkAsBroker(String name, byte[] frame, SessionCredentials user) throws Exception {
        RemotingCommand read = RemotingCommand.decode(ByteBuffer.wrap(frame, 4, frame.length - 4).slice());
        if (!brokerSignature(frame, user).equals(read.getExtFields().get(SessionCredentials.SIGNATURE))) {
            throw new IllegalStateException(name + ": client and broker do not agree");
        }
    }
}
