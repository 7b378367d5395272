package dev.kvasir.chaos.process;

import dev.kvasir.v1.DescribeClusterRequest;
import dev.kvasir.v1.InferenceGrpc;
import dev.kvasir.v1.WorkerState;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** The processes of a cluster: starts them, and knows when all of them are there and know each other. */
public final class Members implements AutoCloseable {
    private static final Duration WHOLE_TIMEOUT = Duration.ofMinutes(4);
    private static final Duration QUIET_TIMEOUT = Duration.ofSeconds(60);
    private static final long POLL_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
    private static final long ANSWER_SECONDS = 3;
    private static final long TELL_NANOS = TimeUnit.SECONDS.toNanos(15);

    private final Map<String, Member> members = new LinkedHashMap<>();
    private final Map<String, ManagedChannel> doors = new HashMap<>();
    private final Links links = new Links();
    private final Timeline timeline;
    private final Map<String, Timeline.Span> down = new HashMap<>();
    private final Consumer<String> log;

    /** @param log is told what is waited for */
    public Members(Roster roster, Path folder, Timeline timeline, Consumer<String> log) throws IOException {
        this(roster, folder, timeline, log, null);
    }

    /** @param traffic what happens to KV blocks between members; null for nothing */
    Members(Roster roster, Path folder, Timeline timeline, Consumer<String> log, Relay.@Nullable Traffic traffic)
            throws IOException {
        this.timeline = timeline;
        this.log = log;
        for (var entry : roster.roles().entrySet()) {
            var member = new Member(entry.getKey(), entry.getValue(), folder, members.size(), links, traffic);
            members.put(member.name(), member);
            if (member.is("router")) {
                doors.put(
                        member.name(),
                        NettyChannelBuilder.forTarget(member.grpcAddress())
                                .usePlaintext()
                                .build());
            }
        }
    }

    Links links() {
        return links;
    }

    /** The member of a name. */
    public Member get(String name) {
        return Objects.requireNonNull(members.get(name), name);
    }

    List<Member> all() {
        return List.copyOf(members.values());
    }

    List<Member> with(String role) {
        return members.values().stream().filter(member -> member.is(role)).toList();
    }

    /** Starts all of them side by side; the first forms the cluster, and the others ask it until it is there. */
    void startAll(Settings settings) throws IOException, InterruptedException {
        var first = all().getFirst();
        first.start(List.of(), settings);
        for (var member : all().subList(1, members.size())) {
            member.start(List.of(first.clusterAddress()), settings);
        }
        for (var member : all()) {
            member.awaitReady();
        }
        awaitWhole(settings);
    }

    /** Its next life, until it serves. */
    public void startAgain(Member member, Settings settings) throws IOException {
        startAgain(List.of(member), settings);
    }

    /** The next lives of some, side by side, until they serve. */
    void startAgain(List<Member> some, Settings settings) throws IOException {
        var join = members.values().stream()
                .filter(other -> !some.contains(other) && other.isRunning())
                .map(Member::clusterAddress)
                .toList();
        for (var member : some) {
            member.start(join, settings);
        }
        for (var member : some) {
            member.awaitReady();
            up(member);
        }
    }

    /** Notes that a member is down until {@link #up}. */
    void down(Member member) {
        down.computeIfAbsent(member.name(), name -> timeline.begin(name, Timeline.State.DOWN));
    }

    private void up(Member member) {
        var span = down.remove(member.name());
        if (span != null) {
            span.end();
        }
    }

    /** Waits until all members live, and all routers know all of them. Those that have left are started again. */
    void awaitWhole(Settings settings) throws IOException, InterruptedException {
        long end = System.nanoTime() + WHOLE_TIMEOUT.toNanos();
        long tell = System.nanoTime() + TELL_NANOS;
        while (true) {
            for (var member : all()) {
                if (!member.isAlive()) {
                    down(member);
                    startAgain(member, settings);
                }
            }
            var missing = missing();
            if (missing.isEmpty()) {
                return;
            }
            if (System.nanoTime() - tell > 0) {
                tell += TELL_NANOS;
                log.accept("    waiting: " + String.join(", ", missing));
            }
            if (System.nanoTime() - end > 0) {
                timeline.violation(
                        "the cluster is not whole again after %d s: %s".formatted(WHOLE_TIMEOUT.toSeconds(), missing));
                return;
            }
            pause();
        }
    }

    /** What routers do not know of their cluster. */
    private List<String> missing() {
        var missing = new ArrayList<String>();
        for (var router : with("router")) {
            try {
                var known = InferenceGrpc.newBlockingStub(doors.get(router.name()))
                        .withDeadlineAfter(ANSWER_SECONDS, TimeUnit.SECONDS)
                        .describeCluster(DescribeClusterRequest.getDefaultInstance())
                        .getMembersList();
                for (var member : all()) {
                    var seen = known.stream()
                            .filter(one -> one.getAddress().endsWith("@" + member.clusterAddress()))
                            .map(one -> !member.is("worker") || serves(one.hasWorker(), one.getWorker())
                                    ? one.getStatus()
                                    : "no serving worker")
                            .toList();
                    if (!seen.equals(List.of("Up"))) {
                        missing.add("%s sees %s as %s".formatted(router.name(), member.name(), seen));
                    }
                }
            } catch (StatusRuntimeException e) {
                missing.add(router.name() + " answers " + e.getStatus().getCode());
            }
        }
        return missing;
    }

    /**
     * Waits until a member that is lost for good is none any more to the others: until then nobody leaves in order, and with
     * the next ones that go the rest may have no majority.
     */
    void awaitForgotten(Member lost) throws InterruptedException {
        long end = System.nanoTime() + WHOLE_TIMEOUT.toNanos();
        while (with("router").stream().anyMatch(router -> router.isRunning() && !hasForgotten(router, lost))) {
            if (System.nanoTime() - end > 0) {
                timeline.violation(
                        "%s is a member still, %d s after its end".formatted(lost.name(), WHOLE_TIMEOUT.toSeconds()));
                return;
            }
            pause();
        }
    }

    private boolean hasForgotten(Member router, Member lost) {
        try {
            return InferenceGrpc.newBlockingStub(doors.get(router.name()))
                    .withDeadlineAfter(ANSWER_SECONDS, TimeUnit.SECONDS)
                    .describeCluster(DescribeClusterRequest.getDefaultInstance())
                    .getMembersList()
                    .stream()
                    .noneMatch(one -> one.getAddress().endsWith("@" + lost.clusterAddress()));
        } catch (StatusRuntimeException _) {
            return false;
        }
    }

    private static boolean serves(boolean known, WorkerState worker) {
        return known && worker.getRefusal().isEmpty() && !worker.getDraining();
    }

    /** Whether routers may give a worker requests. */
    public static boolean serves(WorkerState worker) {
        return serves(worker.getTotalBlocks() > 0, worker);
    }

    /** What a router that answers says of a worker; what it would say of none where nobody answers. */
    public WorkerState state(Member worker) {
        for (var router : with("router")) {
            if (router.isRunning()) {
                try {
                    var known = InferenceGrpc.newBlockingStub(doors.get(router.name()))
                            .withDeadlineAfter(ANSWER_SECONDS, TimeUnit.SECONDS)
                            .describeCluster(DescribeClusterRequest.getDefaultInstance())
                            .getMembersList();
                    for (var member : known) {
                        if (member.getAddress().endsWith("@" + worker.clusterAddress()) && member.hasWorker()) {
                            return member.getWorker();
                        }
                    }
                } catch (StatusRuntimeException _) {
                    // Another router may answer.
                }
            }
        }
        return WorkerState.getDefaultInstance();
    }

    /** Waits until a worker is as wanted, for a while; tells whether it is. */
    public boolean await(Member worker, Predicate<WorkerState> wanted, Duration patience) throws InterruptedException {
        long end = System.nanoTime() + patience.toNanos();
        while (!wanted.test(state(worker))) {
            if (System.nanoTime() - end > 0) {
                return false;
            }
            pause();
        }
        return true;
    }

    /** P7: with nobody asking, no worker has a sequence or a block that is not free. */
    void awaitQuiet() throws InterruptedException {
        for (var worker : with("worker")) {
            boolean quiet = await(
                    worker,
                    state -> state.getTotalBlocks() > 0
                            && state.getFreeBlocks() == state.getTotalBlocks()
                            && state.getRunningSequences() == 0
                            && state.getWaitingSequences() == 0,
                    QUIET_TIMEOUT);
            if (!quiet) {
                timeline.violation("P7: %s is not at rest %d s after the last request: %s"
                        .formatted(worker.name(), QUIET_TIMEOUT.toSeconds(), state(worker)));
            }
        }
    }

    /** What requests cost that moved to workers as they are now. */
    Moved moved() throws IOException {
        double known = 0;
        double recomputed = 0;
        for (var worker : with("worker")) {
            known += worker.metric("kvasir:worker_resumed_tokens_total");
            recomputed += worker.metric("kvasir:worker_recomputed_tokens_total");
        }
        return new Moved(Math.round(known), Math.round(recomputed));
    }

    /** What became of pulls of KV blocks, by all members but one that may not be there any more. */
    Pulled pulls(@Nullable Member but) throws IOException {
        double done = 0;
        double failed = 0;
        double refused = 0;
        for (var member : all()) {
            if (member != but && member.is("worker")) {
                done += member.metric("kvasir:worker_pulls_done_total");
                failed += member.metric("kvasir:worker_pulls_failed_total");
                refused += member.metric("kvasir:worker_pulls_refused_total");
            }
            if (member != but && member.is("kvstore")) {
                refused += member.metric("kvasir:kvstore_pulls_refused_total");
            }
        }
        return new Pulled(Math.round(done), Math.round(failed), Math.round(refused));
    }

    /**
     * Pulls of KV blocks.
     *
     * @param done of workers
     * @param failed of workers
     * @param refused of workers and kvstores: a block was not what it had to be
     */
    record Pulled(long done, long failed, long refused) {
        Pulled minus(Pulled before) {
            return new Pulled(done - before.done, failed - before.failed, refused - before.refused);
        }

        @Override
        public String toString() {
            return "%d pulls of workers done, %d not, %d refused for damage".formatted(done, failed, refused);
        }
    }

    /**
     * Requests that went on at another worker than the one that began them.
     *
     * @param tokens of prompt and output when they came
     * @param recomputed those of them that no cache had
     */
    record Moved(long tokens, long recomputed) {}

    /** Lets a moment pass before the next look. */
    public static void pause() throws InterruptedException {
        LockSupport.parkNanos(POLL_NANOS);
        if (Thread.interrupted()) {
            throw new InterruptedException();
        }
    }

    /** Ends all processes at once. */
    public void end() {
        members.values().forEach(Member::end);
    }

    @Override
    public void close() throws IOException {
        doors.values().forEach(ManagedChannel::shutdownNow);
        for (var member : all()) {
            member.close();
        }
    }
}
