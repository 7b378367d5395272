package dev.kvasir.deploy;

import java.io.PrintWriter;
import java.net.URI;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The server that a command talks to: a running one, or one of its own that ends with the command. */
final class Server implements AutoCloseable {
    private final ApiClient client;
    private final @Nullable KvasirNode node;

    private Server(ApiClient client, @Nullable KvasirNode node) {
        this.client = client;
        this.node = node;
    }

    /** @param url null for a server in this process */
    static Server of(@Nullable URI url, ClientFlags client, ModelFlags flags, PrintWriter err)
            throws InterruptedException {
        if (url != null) {
            return new Server(client.open(url), null);
        }
        var given = new LinkedHashMap<>(flags.given());
        ModelFlags.put(given, "--host", "kvasir.router.host", "127.0.0.1");
        ModelFlags.put(given, "--port", "kvasir.router.http-port", "0");
        ModelFlags.put(given, "--grpc-port", "kvasir.router.grpc-port", "0");
        ModelFlags.put(given, "--roles", "kvasir.roles", "router,worker");
        ModelFlags.put(given, "--cluster-host", "kvasir.cluster.host", "127.0.0.1");
        ModelFlags.put(given, "--cluster-port", "kvasir.cluster.port", "0");
        ModelFlags.put(given, "--join", "kvasir.cluster.join", "");
        ModelFlags.put(given, "--own-server", "kvasir.router.api-keys", "[]");
        for (var key : List.of("api-key-file", "ssl-certfile", "ssl-keyfile")) {
            ModelFlags.put(given, "--own-server", "kvasir.router." + key, "");
        }
        // One request at a time: the first answer is the warm-up.
        ModelFlags.put(given, "--drain-settle", "kvasir.router.drain-settle", "0 s");
        ModelFlags.put(given, "--warm-up", "kvasir.warm-up-timeout", "0 s");
        var node = KvasirNode.start(
                KvasirConfig.load(flags.configFile(), environment(), given), new StartReport(err, false));
        return new Server(new ApiClient(node.addresses().http()), node);
    }

    private static Map<String, String> environment() {
        return System.getenv();
    }

    ApiClient client() {
        return client;
    }

    @Override
    public void close() {
        client.close();
        if (node != null) {
            node.close();
        }
    }
}
