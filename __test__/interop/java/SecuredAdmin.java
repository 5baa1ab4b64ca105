import java.util.List;
import org.apache.commons.cli.CommandLine;
import org.apache.commons.cli.DefaultParser;
import org.apache.commons.cli.Options;
import org.apache.rocketmq.acl.common.AclClientRPCHook;
import org.apache.rocketmq.acl.common.SessionCredentials;
import org.apache.rocketmq.tools.command.SubCommand;
import org.apache.rocketmq.tools.command.auth.CreateAclSubCommand;
import org.apache.rocketmq.tools.command.auth.CreateUserSubCommand;
import org.apache.rocketmq.tools.command.auth.UpdateUserSubCommand;
import org.apache.rocketmq.tools.command.topic.UpdateTopicSubCommand;

/**
 * mqadmin, several commands in one process, signed: {@code SecuredAdmin accessKey secretKey "createUser -b ... -u ..." ...}. The parts
 * of a command are separated by single blanks. Leaves with 1 when a command fails.
 */
public final class SecuredAdmin {
    private static final List<SubCommand> COMMANDS = List.of(
        new CreateUserSubCommand(), new UpdateUserSubCommand(), new CreateAclSubCommand(), new UpdateTopicSubCommand());

    private SecuredAdmin() {
    }

    public static void main(String[] arguments) throws Exception {
        AclClientRPCHook hook = new AclClientRPCHook(new SessionCredentials(arguments[0], arguments[1]));
        for (int i = 2; i < arguments.length; i++) {
            String[] parts = arguments[i].split(" ");
            SubCommand command = COMMANDS.stream().filter(one -> one.commandName().equals(parts[0])).findFirst().orElseThrow();
            String[] options = java.util.Arrays.copyOfRange(parts, 1, parts.length);
            CommandLine line = new DefaultParser().parse(command.buildCommandlineOptions(new Options()), options);
            command.execute(line, new Options(), hook);
        }
        System.exit(0);
    }
}
