package dev.kvasir.chaos.process;

import dev.kvasir.client.KvasirClient;
import dev.kvasir.v1.WorkerState;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** Makes faults happen, and waits until the cluster is whole again. */
final class Injector {
    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final int PREFILL_TOKENS = 600;
    private static final long WORKER_BOUND_MILLIS = 5_000;
    private static final long ROUTER_BOUND_MILLIS = 20_000;
    private static final int DAMAGED_BYTES = 4096;

    private final Members members;
    private final Timeline timeline;
    private final Settings settings;
    private final Random random;
    private final Consumer<String> log;

    Injector(Members members, Timeline timeline, Settings settings, long seed, Consumer<String> log) {
        this.members = members;
        this.timeline = timeline;
        this.settings = settings;
        this.random = new Random(seed);
        this.log = log;
    }

    /** Lets a fault strike and the cluster recover. */
    void strike(Fault fault) throws IOException, InterruptedException {
        switch (fault) {
            case Fault.Kill kill -> kill(kill);
            case Fault.Stop stop -> stop(stop);
            case Fault.Restart(var name) -> {
                var member = members.get(name);
                noted("restart of " + name, "restart " + role(member), bound(member), () -> restart(member));
            }
            case Fault.Rolling _ -> noted("restart of all, one by one", "rolling restart", 0, this::restartAll);
            case Fault.Partition partition -> partition(partition);
            case Fault.Delay(var delay, var millis) ->
                noted("all messages %d ms late for %d ms".formatted(delay, millis), "delay", 0, () -> {
                    members.links().delay(delay);
                    sleep(millis);
                    members.links().heal();
                });
            case Fault.Reset(var ofClients) -> reset(ofClients);
            case Fault.Disk(var name, var damage) -> damage(members.get(name), damage);
        }
    }

    private interface Doing {
        void run() throws IOException, InterruptedException;
    }

    private void noted(String what, String kind, long boundMillis, Doing doing)
            throws IOException, InterruptedException {
        log.accept(what);
        long began = System.nanoTime();
        doing.run();
        members.awaitWhole(settings);
        timeline.add(new Timeline.Event(what, kind, began, System.nanoTime(), boundMillis));
    }

    private static String role(Member member) {
        return member.is("worker") ? "worker" : member.is("router") ? "router" : "kvstore";
    }

    private static long bound(Member member) {
        return member.is("router") ? ROUTER_BOUND_MILLIS : WORKER_BOUND_MILLIS;
    }

    private void kill(Fault.Kill fault) throws IOException, InterruptedException {
        var member = members.get(fault.member());
        var moment = member.is("worker") ? await(member, fault.moment()) : "";
        noted(
                "kill -9 of %s%s, down for %d ms".formatted(member.name(), moment, fault.downMillis()),
                "kill " + role(member),
                bound(member),
                () -> {
                    members.down(member);
                    member.kill();
                    sleep(fault.downMillis());
                    members.startAgain(member, settings);
                });
    }

    /** Waits for the moment to strike a worker; tells what it was doing then. */
    private String await(Member worker, Fault.Moment moment) throws InterruptedException {
        Predicate<WorkerState> wanted = switch (moment) {
            case ANY -> _ -> true;
            case DECODE -> state -> state.getRunningSequences() > 0;
            case PREFILL -> state -> state.getTokensInFlight() > PREFILL_TOKENS;
        };
        if (moment == Fault.Moment.PREFILL) {
            // To all workers, so that the one in question has some of them.
            for (int i = 0; i < 2 * members.with("worker").size(); i++) {
                Thread.ofVirtual().start(() -> askLong(random.nextLong()));
            }
        }
        boolean there = members.await(worker, wanted, PATIENCE);
        var state = members.state(worker);
        return there
                ? " with %d sequences and %d tokens to compute"
                        .formatted(state.getRunningSequences() + state.getWaitingSequences(), state.getTokensInFlight())
                : " at rest";
    }

    private void askLong(long seed) {
        var doors = members.with("router").stream().map(Member::grpcAddress).toList();
        try (var client = KvasirClient.connect(doors);
                var answer = client.generate(Requests.longPrompt(new Random(seed)), Duration.ofMinutes(3))) {
            while (answer.hasNext()) {
                answer.next();
            }
        } catch (StatusRuntimeException e) {
            timeline.violation("P1: a long prompt failed: " + e.getStatus());
        }
    }

    private void stop(Fault.Stop fault) throws IOException, InterruptedException {
        var member = members.get(fault.member());
        noted(
                "%s stopped for %d ms".formatted(member.name(), fault.millis()),
                "stop " + role(member),
                bound(member),
                () -> {
                    var span = timeline.begin(member.name(), Timeline.State.STOPPED);
                    member.stop();
                    sleep(fault.millis());
                    member.goOn();
                    span.end();
                });
    }

    private void restart(Member member) throws IOException, InterruptedException {
        var span = timeline.begin(member.name(), Timeline.State.LEAVING);
        member.terminate();
        int status = member.awaitEnd();
        span.end();
        if (status != 0) {
            timeline.violation("P6: %s ended with status %d on SIGTERM".formatted(member.name(), status));
            member.kill();
        }
        // In order, so no excuse for errors: the span is one of LEAVING as well.
        var starting = timeline.begin(member.name(), Timeline.State.LEAVING);
        members.startAgain(member, settings);
        starting.end();
    }

    private void restartAll() throws IOException, InterruptedException {
        for (var member : members.all()) {
            restart(member);
            members.awaitWhole(settings);
        }
    }

    private void partition(Fault.Partition fault) throws IOException, InterruptedException {
        var side = fault.side();
        var others = members.all().stream()
                .map(Member::name)
                .filter(name -> !side.contains(name))
                .collect(Collectors.toCollection(HashSet::new));
        boolean router = side.stream().anyMatch(name -> members.get(name).is("router"));
        noted(
                "%s %s for %d ms"
                        .formatted(
                                String.join(" and ", side.stream().sorted().toList()),
                                fault.deaf() ? "deaf" : "cut off",
                                fault.millis()),
                (fault.deaf() ? "one-way partition of " : "partition of ") + (router ? "router" : "worker"),
                router ? ROUTER_BOUND_MILLIS : WORKER_BOUND_MILLIS,
                () -> cutOff(side, others, fault));
    }

    private void cutOff(Set<String> side, Set<String> others, Fault.Partition fault) {
        var spans = side.stream()
                .map(name -> timeline.begin(name, Timeline.State.CUT_OFF))
                .toList();
        members.links().cut(others, side);
        if (!fault.deaf()) {
            members.links().cut(side, others);
        }
        sleep(fault.millis());
        members.links().heal();
        spans.forEach(Timeline.Span::end);
    }

    private void reset(boolean ofClients) throws IOException, InterruptedException {
        var whose = ofClients ? "clients" : "members";
        var spans = new ArrayList<Timeline.Span>();
        noted("all connections of %s reset".formatted(whose), "reset of " + whose, 0, () -> {
            if (ofClients) {
                members.with("router").forEach(one -> spans.add(timeline.begin(one.name(), Timeline.State.CUT_OFF)));
            }
            members.all().forEach(member -> member.reset(ofClients));
            spans.forEach(Timeline.Span::end);
        });
    }

    private void damage(Member member, Fault.Damage how) throws IOException, InterruptedException {
        List<Path> files;
        try (var found = Files.walk(member.dataFolder())) {
            files = found.filter(path -> path.toString().endsWith(".kv")).toList();
        } catch (UncheckedIOException | NoSuchFileException _) {
            files = List.of();
        }
        var which = files;
        noted(
                "%d files of the disk tier of %s %s"
                        .formatted(which.size(), member.name(), how.name().toLowerCase(Locale.ROOT)),
                "disk damage",
                0,
                () -> {
                    for (var file : which) {
                        damage(file, how);
                    }
                });
    }

    private void damage(Path file, Fault.Damage how) throws IOException {
        switch (how) {
            case DELETED -> Files.deleteIfExists(file);
            case TRUNCATED -> {
                try (var channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                    channel.truncate(channel.size() / 3);
                }
            }
            case OVERWRITTEN -> {
                try (var channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                    var noise = new byte[DAMAGED_BYTES];
                    for (long at = DAMAGED_BYTES; at < channel.size(); at += 3L * DAMAGED_BYTES) {
                        random.nextBytes(noise);
                        channel.write(ByteBuffer.wrap(noise), at);
                    }
                }
            }
        }
    }

    private static void sleep(long millis) {
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(millis));
    }
}
