package dev.kvasir.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kvasir.bench.BenchCommand;
import dev.kvasir.client.ConnectionOptions;
import dev.kvasir.client.KvasirClient;
import dev.kvasir.deploy.Settings.Flag;
import dev.kvasir.protocol.tls.Certificates;
import dev.kvasir.protocol.tls.PemFiles;
import dev.kvasir.v1.GenerateRequest;
import dev.kvasir.v1.Sampling;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.apache.pekko.actor.typed.ActorSystem;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;

/** Members with certificates, which are made for the test, and members with others or none. */
final class ClusterTlsTest {
    @TempDir
    private static Path folder;

    private static TestCertificates made;

    private final List<ActorSystem<Void>> systems = new ArrayList<>();

    @BeforeAll
    static void makeCertificates() throws Exception {
        made = new TestCertificates(folder);
        made.make("members", "san=ip:127.0.0.1");
        made.make("stranger", "san=ip:127.0.0.1");
        made.make("elsewhere", "san=ip:10.9.8.7");
    }

    @AfterEach
    void endAll() throws Exception {
        for (var system : systems) {
            system.terminate();
        }
        for (var system : systems) {
            system.getWhenTerminated().toCompletableFuture().get(60, TimeUnit.SECONDS);
        }
    }

    private static Optional<Certificates> shown(String own, String authority) {
        return Optional.of(Certificates.open(
                new PemFiles(
                        "kvasir.tls", made.certificate(own), made.key(own), Optional.of(made.certificate(authority))),
                Duration.ZERO));
    }

    private static KvasirConfig config(Map<String, String> settings) {
        var flags = new HashMap<Flag, String>();
        flags.put(new Flag("--roles", "kvasir.roles"), "kvstore");
        settings.forEach((key, value) -> {
            flags.keySet().removeIf(flag -> flag.key().equals(key));
            flags.put(new Flag("--" + key, key), value);
        });
        return KvasirConfig.load(null, Map.of(), flags);
    }

    /** Starts a member that forms a cluster, and returns its address. */
    private String member(Optional<Certificates> certificates) throws InterruptedException {
        return member(certificates, Map.of());
    }

    private String joining(Optional<Certificates> certificates, String to) throws InterruptedException {
        return member(certificates, Map.of("kvasir.cluster.join", to));
    }

    /** The same with little patience, for members that are to be refused. */
    private String trying(Optional<Certificates> certificates, String to) throws InterruptedException {
        return member(certificates, Map.of("kvasir.cluster.join", to, "kvasir.cluster.join-timeout", "5 s"));
    }

    private String member(Optional<Certificates> certificates, Map<String, String> settings)
            throws InterruptedException {
        var config = config(settings);
        var system = ClusterMember.start(config, certificates);
        systems.add(system);
        ClusterMember.join(system, config.cluster(), certificates);
        return ClusterMember.address(system);
    }

    /** What TLS has to say meanwhile. */
    private static List<String> said(Runnable meanwhile) {
        var log = (Logger) LoggerFactory.getLogger(ClusterTls.class);
        var lines = new ListAppender<ILoggingEvent>();
        lines.start();
        log.addAppender(lines);
        try {
            meanwhile.run();
        } finally {
            log.detachAppender(lines);
        }
        return lines.list.stream().map(ILoggingEvent::getFormattedMessage).toList();
    }

    @Test
    void membersOfOneAuthorityFormACluster() throws Exception {
        var first = member(shown("members", "members"));
        assertThat(joining(shown("members", "members"), first)).isNotEqualTo(first);
    }

    @Test
    void aMemberOfAnotherAuthorityIsRefusedByNameAtBothEnds() throws Exception {
        var own = shown("members", "members");
        var first = member(own);
        assertThat(said(() -> assertThatThrownBy(() -> trying(shown("stranger", "members"), first))
                        .isInstanceOf(CommandException.class)
                        .hasMessageContaining("no member answers at " + first)
                        .hasMessageContaining("kvasir.tls")))
                .anyMatch(line -> line.contains("no connection to " + first + ": ") && line.contains("alert"));
        assertThat(own.orElseThrow().lastRefusal().orElseThrow()).contains("CN=stranger");
        assertThatThrownBy(() -> trying(shown("stranger", "stranger"), first)).hasMessageContaining("CN=members");
    }

    @Test
    void aMemberAtAnAddressThatItsCertificateDoesNotNameIsNotBelieved() throws Exception {
        var first = member(shown("elsewhere", "elsewhere"));
        assertThatThrownBy(() -> trying(shown("elsewhere", "elsewhere"), first)).hasMessageContaining("127.0.0.1");
    }

    @Test
    void membersWithAndWithoutCertificatesFormNoCluster() throws Exception {
        var closed = member(shown("members", "members"));
        assertThat(said(() -> assertThatThrownBy(() -> trying(Optional.empty(), closed))
                        .hasMessageContaining("this one has no kvasir.tls")))
                .anyMatch(line -> line.contains("somebody who wanted to connect was refused"));
        var open = member(Optional.empty());
        assertThatThrownBy(() -> trying(shown("members", "members"), open))
                .hasMessageContaining("this one has kvasir.tls");
    }

    @Test
    void certificatesThatAreExchangedWhileMembersRunAreUsedFromThenOn() throws Exception {
        made.make("old", "san=ip:127.0.0.1");
        made.make("new", "san=ip:127.0.0.1");
        var both = Files.writeString(
                folder.resolve("both.crt"),
                Files.readString(made.certificate("old")) + Files.readString(made.certificate("new")));
        Files.copy(made.certificate("old"), made.certificate("current"));
        Files.copy(made.key("old"), made.key("current"));
        var files = new PemFiles("kvasir.tls", made.certificate("current"), made.key("current"), Optional.of(both));
        var first = member(Optional.of(Certificates.open(files, Duration.ZERO)));
        // Believes the new authority alone.
        assertThatThrownBy(() -> trying(shown("new", "new"), first)).hasMessageContaining("CN=old");
        exchange("new", "current");
        assertThat(joining(shown("new", "new"), first)).isNotEqualTo(first);
    }

    private static void exchange(String from, String to) throws Exception {
        Files.copy(made.key(from), made.key(to), StandardCopyOption.REPLACE_EXISTING);
        Files.copy(made.certificate(from), made.certificate(to), StandardCopyOption.REPLACE_EXISTING);
        Files.setLastModifiedTime(made.certificate(to), FileTime.fromMillis(System.currentTimeMillis() + 2000));
    }

    @Test
    void aRouterAndAWorkerServeOverItBehindDoorsThatAskForKeys() throws Exception {
        var tls = new HashMap<>(Map.of(
                "kvasir.tls.certificate", made.certificate("members").toString(),
                "kvasir.tls.key", made.key("members").toString(),
                "kvasir.tls.ca", made.certificate("members").toString(),
                "kvasir.warm-up-timeout", "0 s",
                "kvasir.worker.num-kv-blocks", "512",
                "kvasir.router.http-port", "0",
                "kvasir.router.grpc-port", "0"));
        tls.put("kvasir.router.api-keys", "sk-test, sk-acme acme");
        tls.put("kvasir.router.ssl-certfile", made.certificate("members").toString());
        tls.put("kvasir.router.ssl-keyfile", made.key("members").toString());
        tls.put("kvasir.home", System.getenv().getOrDefault("KVASIR_HOME", ""));
        tls.put("kvasir.roles", "router,kvstore");
        try (var router = start(tls)) {
            tls.put("kvasir.roles", "worker");
            tls.put("kvasir.cluster.join", router.addresses().cluster());
            try (var _ = start(tls);
                    var client = https(router, "sk-test");
                    var unbelieving = new ApiClient(router.addresses().http());
                    var stranger = https(router, "sk-other")) {
                var request = ApiClient.JSON
                        .createObjectNode()
                        .put("model", "demo")
                        .put("prompt", "What is 17 + 25? ".repeat(200))
                        .put("max_tokens", 16)
                        .put("ignore_eos", true);
                assertThat(tokens(client, request)).isEqualTo(16);
                assertThatThrownBy(stranger::models).hasMessageContaining("401", "the API key is not known");
                assertThatThrownBy(unbelieving::models)
                        .isInstanceOf(CommandException.class)
                        .hasMessageStartingWith("cannot speak TLS with https://");
                assertThat(tokensOverGrpc(router)).isEqualTo(16);
                aStreamIsResumedWithTheKeyOfItsTenantAlone(router, request);
                assertThat(bench(router, "--api-key=sk-test")).isEqualTo(0);
                assertThat(bench(router, "--api-key=sk-other")).isNotEqualTo(0);
            }
        }
    }

    private static HttpClient believing() {
        return HttpClient.newBuilder()
                .sslContext(Certificates.trusting(made.certificate("members")))
                .build();
    }

    private static ApiClient https(KvasirNode router, String key) {
        assertThat(router.addresses().http()).hasScheme("https");
        return new ApiClient(router.addresses().http(), believing(), Optional.of(key));
    }

    private static void aStreamIsResumedWithTheKeyOfItsTenantAlone(KvasirNode router, ObjectNode request)
            throws Exception {
        try (var http = believing()) {
            var answer = send(http, router, "/v1/completions", "sk-acme", BodyPublishers.ofString(request.toString()));
            assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
            var path = "/v1/streams/"
                    + ApiClient.JSON.readTree(answer.body()).path("id").asText();
            assertThat(send(http, router, path, "sk-test", null).statusCode()).isEqualTo(404);
            assertThat(send(http, router, path, "sk-acme", null).statusCode()).isEqualTo(200);
        }
    }

    private static int bench(KvasirNode router, String key) {
        var output = new PrintWriter(new StringWriter());
        return new CommandLine(new BenchCommand())
                .setOut(output)
                .setErr(output)
                .execute(
                        "--url=" + router.addresses().http(),
                        key,
                        "--cacert=" + made.certificate("members"),
                        "--num-prompts=2",
                        "--input-len=8",
                        "--output-len=4");
    }

    private static HttpResponse<String> send(
            HttpClient http, KvasirNode router, String path, String key, @Nullable BodyPublisher body)
            throws Exception {
        var request = HttpRequest.newBuilder(router.addresses().http().resolve(path))
                .header("Authorization", "Bearer " + key)
                .header("Content-Type", "application/json");
        return http.send(
                (body == null ? request.GET() : request.POST(body)).build(), HttpResponse.BodyHandlers.ofString());
    }

    private static int tokensOverGrpc(KvasirNode router) {
        var request = GenerateRequest.newBuilder()
                .setText("What is 17 + 25?")
                .setSampling(Sampling.newBuilder().setMaxTokens(16).setIgnoreEos(true))
                .build();
        var options = ConnectionOptions.plain()
                .withTls(Optional.of(made.certificate("members")))
                .withApiKey("sk-test");
        int tokens = 0;
        try (var client = KvasirClient.connect(List.of(router.addresses().grpc()), options);
                var answer = client.generate(request, Duration.ofMinutes(1))) {
            while (answer.hasNext()) {
                tokens += answer.next().getOutput().getTokenIdsCount();
            }
        }
        return tokens;
    }

    /** Asks until the router has heard of the worker. */
    private static int tokens(ApiClient client, ObjectNode request) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.MINUTES.toNanos(2);
        while (true) {
            try {
                return client.stream("/v1/completions", request.deepCopy(), _ -> {})
                        .completionTokens();
            } catch (CommandException e) {
                if (System.nanoTime() > end) {
                    throw e;
                }
                LockSupport.parkNanos(50_000_000);
            }
        }
    }

    private static KvasirNode start(Map<String, String> settings) throws InterruptedException {
        return KvasirNode.start(config(settings), new StartReport(new PrintWriter(new StringWriter()), false));
    }
}
