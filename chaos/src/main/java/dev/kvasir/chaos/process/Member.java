package dev.kvasir.chaos.process;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * A member of a cluster in a process of its own, with relays before its ports, so that it keeps its addresses through all of
 * its lives. Its files, one log for each life among them, lie in a folder.
 */
public final class Member implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Duration START_TIMEOUT = Duration.ofMinutes(4);
    private static final Duration END_TIMEOUT = Duration.ofMinutes(2);
    private static final int METRICS_TIMEOUT_MILLIS = 10_000;
    private static final long POLL_NANOS = TimeUnit.MILLISECONDS.toNanos(20);
    private static final Path PRLIMIT = Path.of("/usr/bin/prlimit");

    private final String name;
    private final List<String> roles;
    private final Path folder;
    private final InetAddress source;
    private final Relay cluster;
    private final @Nullable Relay http;
    private final @Nullable Relay grpc;
    private final @Nullable Relay blocks;
    private volatile @Nullable Process process;
    private URI status = URI.create("");
    private volatile boolean stopped;
    private volatile boolean gone;
    private int lives;

    /**
     * A member that has not begun.
     *
     * @param number of the member; its connections come from an address of that number where the system has such
     * @param traffic what happens to KV blocks that others pull; null for nothing, not even a relay
     */
    Member(String name, List<String> roles, Path folder, int number, Links links, Relay.@Nullable Traffic traffic)
            throws IOException {
        this.name = name;
        this.roles = List.copyOf(roles);
        this.folder = folder;
        boolean linux = System.getProperty("os.name", "").startsWith("Linux");
        this.source = linux
                ? InetAddress.getByAddress(new byte[] {127, 0, 1, (byte) (10 + number)})
                : InetAddress.getLoopbackAddress();
        if (linux) {
            links.register(name, source);
        }
        this.cluster = new Relay(name, links);
        boolean doors = roles.contains("router");
        this.http = doors ? new Relay(name, links) : null;
        this.grpc = doors ? new Relay(name, links) : null;
        // The port of blocks is the one that others are told, so that the member needs an address of its own for it.
        this.blocks = linux && traffic != null ? Relay.ofBlocks(name, links, traffic) : null;
    }

    /** Unique in its cluster. */
    public String name() {
        return name;
    }

    boolean is(String role) {
        return roles.contains(role);
    }

    /** host:port for other members. */
    public String clusterAddress() {
        return cluster.address();
    }

    /** host:port of its gRPC door. */
    public String grpcAddress() {
        return Objects.requireNonNull(grpc, name + " has no doors").address();
    }

    /** Of its HTTP door. */
    public URI httpAddress() {
        return URI.create(
                "http://" + Objects.requireNonNull(http, name + " has no doors").address());
    }

    /** Its process has not ended. */
    public boolean isAlive() {
        var of = process;
        return of != null && of.isAlive();
    }

    /** Alive, and not stopped by a signal. */
    boolean isRunning() {
        return isAlive() && !stopped;
    }

    /** Folder of the files that it leaves behind. */
    Path dataFolder() {
        return folder.resolve(name);
    }

    private Path readyFile() {
        return folder.resolve(name + ".ready.json");
    }

    private Path pauses(int life) {
        return folder.resolve("%s.%d.pauses.log".formatted(name, life));
    }

    /** Logs of when its JVMs stood still, one for each life. */
    List<Path> pauseLogs() {
        return IntStream.rangeClosed(1, lives)
                .mapToObj(this::pauses)
                .filter(Files::exists)
                .toList();
    }

    /** Of its process; 0 where there is none. */
    long pid() {
        var of = process;
        return of != null && of.isAlive() ? of.pid() : 0;
    }

    private Path log() {
        return folder.resolve("%s.%d.log".formatted(name, lives));
    }

    /**
     * Starts its next life.
     *
     * @param join addresses of members of the cluster; none forms one
     */
    void start(List<String> join, Settings settings) throws IOException {
        Files.deleteIfExists(readyFile());
        lives++;
        stopped = false;
        int port = Relay.freePort();
        var file = folder.resolve(name + ".conf");
        var listen = blocks == null ? InetAddress.getLoopbackAddress() : source;
        var place = new Settings.Place(
                dataFolder(),
                cluster.port(),
                listen.getHostAddress(),
                port,
                source.getHostAddress(),
                blocks == null ? 0 : blocks.port());
        Files.writeString(file, settings.text(place, join));
        var command = new ArrayList<>(List.of(
                ProcessHandle.current().info().command().orElse("java"),
                "--add-modules=jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-XX:+ExitOnOutOfMemoryError",
                "-Xlog:safepoint:file=%s:timemillis".formatted(pauses(lives)),
                // What kernels compute with begins at cache lines under G1 alone; without it equal workers differ.
                roles.contains("worker") ? "-XX:+UseG1GC" : "-XX:+UseSerialGC",
                // Only kernels need the second compiler; without it members start with less work.
                roles.contains("worker") ? "-XX:+TieredCompilation" : "-XX:TieredStopAtLevel=1",
                "-Xmx" + settings.heapMegabytes() + "m",
                "-cp",
                System.getProperty("java.class.path"),
                "dev.kvasir.deploy.Kvasir",
                "serve",
                "--config",
                file.toString(),
                "--roles",
                String.join(",", roles),
                "--ready-file",
                readyFile().toString()));
        if (settings.processors() > 0) {
            command.add(1, "-XX:ActiveProcessorCount=" + settings.processors());
        }
        var builder = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log().toFile());
        process = builder.start();
        cluster.leadTo(listen, port);
        if (blocks != null) {
            blocks.leadTo(source, blocks.port());
        }
    }

    /** Waits until it serves. */
    void awaitReady() throws IOException {
        long end = System.nanoTime() + START_TIMEOUT.toNanos();
        while (!Files.exists(readyFile())) {
            if (!isAlive() || System.nanoTime() > end) {
                throw new IOException("%s does not become ready; its log is %s".formatted(name, log()));
            }
            LockSupport.parkNanos(POLL_NANOS);
        }
        JsonNode at = JSON.readTree(readyFile().toFile());
        status = URI.create(at.path("status").asText());
        if (http != null && grpc != null) {
            var host = InetAddress.getLoopbackAddress();
            http.leadTo(host, URI.create(at.path("http").asText()).getPort());
            grpc.leadTo(host, URI.create("grpc://" + at.path("grpc").asText()).getPort());
        }
    }

    /** Value of one of its metrics that has but one label set. */
    double metric(String metric) throws IOException {
        var page = status.resolve("/metrics").toURL().openConnection();
        page.setConnectTimeout(METRICS_TIMEOUT_MILLIS);
        page.setReadTimeout(METRICS_TIMEOUT_MILLIS);
        try (var lines = new BufferedReader(new InputStreamReader(page.getInputStream(), StandardCharsets.UTF_8))) {
            return lines.lines()
                    .filter(line -> line.startsWith(metric + "{") || line.startsWith(metric + " "))
                    .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
                    .findFirst()
                    .orElseThrow(() -> new IOException(name + " has no metric " + metric));
        }
    }

    /** kill -9. */
    public void kill() throws InterruptedException {
        var of = process;
        if (of != null) {
            of.destroyForcibly().waitFor();
        }
    }

    /** kill -9, and no other life. */
    void killForGood() throws InterruptedException {
        gone = true;
        kill();
    }

    /** Nobody expects it back. */
    boolean isGone() {
        return gone;
    }

    /** SIGTERM. */
    public void terminate() {
        var of = process;
        if (of != null) {
            of.destroy();
        }
    }

    /** Its exit status; -1 where it does not end in time. */
    public int awaitEnd() throws InterruptedException {
        return awaitEnd(END_TIMEOUT);
    }

    int awaitEnd(Duration patience) throws InterruptedException {
        var of = process;
        return of != null && of.waitFor(patience.toMillis(), TimeUnit.MILLISECONDS) ? of.exitValue() : -1;
    }

    /** Leaves nothing of its heap; returns when it is full, or the process gone. */
    void fillHeap() throws IOException {
        var of = process;
        if (of != null) {
            HeapFiller.fill(of.pid(), folder);
        }
    }

    /** Whether {@link #limitFiles} can do anything here. */
    static boolean canLimitFiles() {
        return Files.isExecutable(PRLIMIT);
    }

    /** None of its files may grow beyond so many bytes, as on a disk that is full. */
    void limitFiles(long bytes) throws IOException, InterruptedException {
        limit("--fsize=" + bytes + ":");
    }

    void unlimitFiles() throws IOException, InterruptedException {
        limit("--fsize=unlimited:");
    }

    private void limit(String what) throws IOException, InterruptedException {
        var of = Objects.requireNonNull(process, name + " has no process");
        int status = new ProcessBuilder(PRLIMIT.toString(), "--pid", Long.toString(of.pid()), what)
                .redirectErrorStream(true)
                .start()
                .waitFor();
        if (status != 0) {
            throw new IOException("prlimit %s of %s ended with status %d".formatted(what, name, status));
        }
    }

    /** Whether what happens to blocks on their way can be told here. */
    boolean hasRelayOfBlocks() {
        return blocks != null;
    }

    void stop() throws IOException, InterruptedException {
        stopped = true;
        signal("-STOP");
    }

    void goOn() throws IOException, InterruptedException {
        signal("-CONT");
        stopped = false;
    }

    private void signal(String which) throws IOException, InterruptedException {
        var of = process;
        if (of != null && of.isAlive()) {
            new ProcessBuilder("kill", which, Long.toString(of.pid())).start().waitFor();
        }
    }

    /** Resets connections that lead to it; answers with how many there were. */
    int reset(boolean fromClients) {
        int count = cluster.reset(from -> from.equals(Links.CLIENTS) == fromClients);
        for (var door : new Relay[] {http, grpc, blocks}) {
            count += door == null ? 0 : door.reset(from -> from.equals(Links.CLIENTS) == fromClients);
        }
        return count;
    }

    /** Lines of all its logs that tell of errors. */
    List<String> errors() throws IOException {
        var errors = new ArrayList<String>();
        for (int life = 1; life <= lives; life++) {
            var file = folder.resolve("%s.%d.log".formatted(name, life));
            try (var lines = Files.lines(file)) {
                lines.filter(line -> line.contains(" ERROR ") || line.contains("Exception in thread"))
                        .map(line -> file.getFileName() + ": " + line)
                        .forEach(errors::add);
            }
        }
        return errors;
    }

    /** kill -9, without waiting. */
    void end() {
        var of = process;
        if (of != null) {
            of.destroyForcibly();
        }
    }

    @Override
    public void close() throws IOException {
        end();
        cluster.close();
        if (http != null && grpc != null) {
            http.close();
            grpc.close();
        }
        if (blocks != null) {
            blocks.close();
        }
    }
}
