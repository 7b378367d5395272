package dev.kvasir.deploy;

import dev.kvasir.deploy.Settings.Flag;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Flags about a member of a cluster: where it listens and whom it joins. */
final class NodeFlags {
    @Option(
            names = "--host",
            paramLabel = "ADDRESS",
            description = "Address that HTTP and gRPC listen on (default: 127.0.0.1).")
    private @Nullable String host;

    @Option(names = "--port", paramLabel = "PORT", description = "HTTP port; 0 takes a free one (default: 8000).")
    private @Nullable String port;

    @Option(names = "--grpc-port", paramLabel = "PORT", description = "gRPC port; 0 takes a free one (default: 50051).")
    private @Nullable String grpcPort;

    @Option(
            names = "--status-port",
            paramLabel = "PORT",
            description = "Port for /health and /metrics of a member without the router role; 0 takes a free one"
                    + " (default: 0).")
    private @Nullable String statusPort;

    @Option(
            names = "--placement",
            paramLabel = "POLICY",
            description = "How a worker is chosen for each request: cost, round-robin, least-loaded, bounded-hash,"
                    + " longest-prefix or prefix-threshold (default: cost).")
    private @Nullable String placement;

    @Option(
            names = "--api-key",
            paramLabel = "KEY",
            description =
                    "Key that clients have to show as 'Authorization: Bearer KEY'; may be given several times, and as"
                            + " 'KEY TENANT'. Others on this machine can see it: rather use KVASIR_API_KEY or a file.")
    private @Nullable List<String> apiKeys;

    @Option(
            names = "--api-key-file",
            paramLabel = "FILE",
            description = "File with a key, or a key and its tenant, in each line; read again when it changes.")
    private @Nullable String apiKeyFile;

    @Option(
            names = "--ssl-certfile",
            paramLabel = "FILE",
            description = "Certificate of both doors in PEM, which then speak TLS.")
    private @Nullable String certificate;

    @Option(names = "--ssl-keyfile", paramLabel = "FILE", description = "Key of that certificate in PEM (PKCS #8).")
    private @Nullable String key;

    @Option(
            names = "--allowed-origins",
            paramLabel = "ORIGIN,...",
            description = "Web pages that may use the HTTP door from a browser, by origin; * for any (default: none).")
    private @Nullable String allowedOrigins;

    @Option(names = "--roles", paramLabel = "ROLE,...", description = "router, worker, kvstore (default: all).")
    private @Nullable String roles;

    @Option(
            names = "--join",
            paramLabel = "HOST:PORT,...",
            description = "Members of the cluster to join (default: form one).")
    private @Nullable String join;

    @Option(
            names = "--cluster-host",
            paramLabel = "ADDRESS",
            description = "Address that other members reach this one at (default: 127.0.0.1).")
    private @Nullable String clusterHost;

    @Option(
            names = "--cluster-port",
            paramLabel = "PORT",
            description = "Port for other members; 0 takes a free one (default: 0).")
    private @Nullable String clusterPort;

    @Option(
            names = "--data-dir",
            paramLabel = "DIR",
            description = "Folder for files of this member (default: .kvasir/data).")
    private @Nullable String dataDir;

    @Option(names = "--seed", paramLabel = "N", description = "Seed of dummy weights.")
    private @Nullable String seed;

    /** What was given, by key. */
    Map<Flag, String> given() {
        var given = new LinkedHashMap<Flag, String>();
        ModelFlags.put(given, "--host", "kvasir.router.host", host);
        ModelFlags.put(given, "--port", "kvasir.router.http-port", port);
        ModelFlags.put(given, "--grpc-port", "kvasir.router.grpc-port", grpcPort);
        ModelFlags.put(given, "--status-port", "kvasir.status.port", statusPort);
        ModelFlags.put(
                given, "--api-key", "kvasir.router.api-keys", apiKeys == null ? null : String.join(",", apiKeys));
        ModelFlags.put(given, "--api-key-file", "kvasir.router.api-key-file", apiKeyFile);
        ModelFlags.put(given, "--ssl-certfile", "kvasir.router.ssl-certfile", certificate);
        ModelFlags.put(given, "--ssl-keyfile", "kvasir.router.ssl-keyfile", key);
        ModelFlags.put(given, "--allowed-origins", "kvasir.router.allowed-origins", allowedOrigins);
        ModelFlags.put(given, "--placement", "kvasir.router.placement", placement);
        ModelFlags.put(given, "--roles", "kvasir.roles", roles);
        ModelFlags.put(given, "--join", "kvasir.cluster.join", join);
        ModelFlags.put(given, "--cluster-host", "kvasir.cluster.host", clusterHost);
        ModelFlags.put(given, "--cluster-port", "kvasir.cluster.port", clusterPort);
        ModelFlags.put(given, "--data-dir", "kvasir.data-dir", dataDir);
        ModelFlags.put(given, "--seed", "kvasir.worker.seed", seed);
        return given;
    }
}
