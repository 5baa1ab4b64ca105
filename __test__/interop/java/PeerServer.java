import java.lang.reflect.Method;
import java.util.Arrays;

/**
 * Runs the main class named first with the other arguments, Apache's name server or broker, and leaves in order
 * (shutdown hooks and all) when stdin ends: so a server never outlives the test that started it.
 */
public final class PeerServer {
    private PeerServer() {
    }

    public static void main(String[] arguments) throws Exception {
        Thread stdin = new Thread(PeerServer::exitWithStdin, "exit-with-stdin");
        stdin.setDaemon(true);
        stdin.start();
        Method main = Class.forName(arguments[0]).getMethod("main", String[].class);
        main.invoke(null, (Object) Arrays.copyOfRange(arguments, 1, arguments.length));
    }

    private static void exitWithStdin() {
        try {
            while (System.in.read() >= 0) {
                // Nothing is said on it; only its end counts.
            }
        } catch (java.io.IOException e) {
            System.err.println("stdin failed, exiting: " + e);
        }
        System.exit(0);
    }
}
