package dev.kvasir.chaos.process;

import dev.kvasir.v1.WorkerState;
import java.io.IOException;
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
import org.jspecify.annotations.Nullable;

/** Makes faults happen, and waits until the cluster is whole again. */
final class Injector {
    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final int PREFILL_TOKENS = 600;
    private static final long WORKER_BOUND_MILLIS = 5_000;
    private static final long ROUTER_BOUND_MILLIS = 20_000;

    /** Of a JVM with ExitOnOutOfMemoryError. */
    private static final int OUT_OF_MEMORY = 3;

    private static final Duration AT_ONCE = Duration.ofSeconds(30);
    private static final int PROMPTS_PER_WORKER = 2;
    private static final int PROBES_AFTER = 6;

    private final Members members;
    private final Load load;
    private final Timeline timeline;
    private final Settings settings;
    private final Consumer<String> log;
    private final DataPlane dataPlane;
    private final LongPrompts prompts;
    private final DiskFaults disks;

    Injector(
            Members members,
            Load load,
            DataPlane dataPlane,
            Timeline timeline,
            Settings settings,
            long seed,
            Consumer<String> log) {
        this.members = members;
        this.load = load;
        this.dataPlane = dataPlane;
        this.timeline = timeline;
        this.settings = settings;
        this.log = log;
        var random = new Random(seed);
        this.prompts = new LongPrompts(members, timeline, random);
        this.disks = new DiskFaults(timeline, prompts, random);
    }

    /** Lets a fault strike and the cluster recover. */
    void strike(Fault fault) throws IOException, InterruptedException {
        switch (fault) {
            case Fault.Kill kill -> kill(kill);
            case Fault.Stop stop -> stop(stop);
            case Fault.Restart(var names) -> restart(names);
            case Fault.Rolling _ -> noted("restart of all, one by one", "rolling restart", 0, this::restartAll);
            case Fault.Partition partition -> partition(partition);
            case Fault.Delay(var delay, var millis) ->
                noted("all messages %d ms late for %d ms".formatted(delay, millis), "delay", 0, () -> {
                    members.links().delay(delay);
                    sleep(millis);
                    members.links().heal();
                    return "";
                });
            case Fault.Reset(var ofClients) -> reset(ofClients);
            case Fault.Disk(var name, var damage) ->
                noted(
                        "disk tier of %s %s".formatted(name, damage.name().toLowerCase(Locale.ROOT)),
                        "disk damage",
                        0,
                        () -> disks.damage(members.get(name), damage));
            case Fault.DiskFull(var name) -> fillDisk(members.get(name));
            case Fault.OutOfMemory(var name) -> fillHeap(members.get(name));
            case Fault.Transfers transfers -> harmTransfers(transfers);
        }
    }

    /** Answers with what came of it, where there is something to tell. */
    private interface Doing {
        String run() throws IOException, InterruptedException;
    }

    private void noted(String what, String kind, long boundMillis, Doing doing)
            throws IOException, InterruptedException {
        log.accept(what);
        long began = System.nanoTime();
        var outcome = doing.run();
        members.awaitWhole(settings);
        timeline.add(new Timeline.Event(what, kind, began, System.nanoTime(), boundMillis, outcome));
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
        if (fault.downMillis() == Fault.Kill.FOR_GOOD) {
            killForGood(member, moment);
            return;
        }
        noted(
                "kill -9 of %s%s, down for %d ms".formatted(member.name(), moment, fault.downMillis()),
                "kill " + role(member),
                bound(member),
                () -> {
                    members.down(member);
                    member.kill();
                    sleep(fault.downMillis());
                    members.startAgain(member, settings);
                    return "";
                });
    }

    /** There is nothing to wait for but requests that begin now. */
    private void killForGood(Member member, String moment) throws InterruptedException {
        var what = "kill -9 of %s%s, for good".formatted(member.name(), moment);
        log.accept(what);
        long began = System.nanoTime();
        members.down(member);
        member.killForGood();
        load.await(Load.Kind.PROBE, load.count(Load.Kind.PROBE) + PROBES_AFTER);
        timeline.add(new Timeline.Event(
                what, "kill " + role(member), began, System.nanoTime(), bound(member), "it does not come back"));
        members.awaitForgotten(member);
    }

    private void fillHeap(Member member) throws IOException, InterruptedException {
        var moment = member.is("worker") ? await(member, Fault.Moment.DECODE) : "";
        noted(
                "heap of %s filled%s".formatted(member.name(), moment),
                "out of memory of " + role(member),
                bound(member),
                () -> {
                    members.down(member);
                    long began = System.nanoTime();
                    member.fillHeap();
                    int status = member.awaitEnd(AT_ONCE);
                    long took = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - began);
                    if (status != OUT_OF_MEMORY) {
                        timeline.violation("%s had no heap left and ended with status %d, not %d, in %d ms"
                                .formatted(member.name(), status, OUT_OF_MEMORY, took));
                        member.kill();
                    }
                    members.startAgain(member, settings);
                    return "ended after %d ms".formatted(took);
                });
    }

    private void fillDisk(Member member) throws IOException, InterruptedException {
        if (Member.canLimitFiles()) {
            noted("disk of %s full".formatted(member.name()), "disk full", 0, () -> disks.fill(member));
        } else {
            timeline.skipped("disk full: there is no prlimit to keep files small with");
        }
    }

    /** A worker that goes gives its blocks away; whoever is asked for what it knew pulls them. */
    private void harmTransfers(Fault.Transfers fault) throws IOException, InterruptedException {
        var worker = members.get(fault.worker());
        var how = fault.harm().name().toLowerCase(Locale.ROOT);
        if (!worker.hasRelayOfBlocks()) {
            timeline.skipped("transfers %s: members have no addresses of their own here".formatted(how));
            return;
        }
        var whose = fault.pullers().name().toLowerCase(Locale.ROOT);
        noted(
                "transfers to %s %s, %s restarted".formatted(whose, how, worker.name()),
                "transfers to %s %s".formatted(whose, how),
                0,
                () -> switch (fault.pullers()) {
                    case KVSTORES -> harmThoseOfKvstores(worker, fault.harm());
                    case WORKERS -> harmThoseOfWorkers(worker, fault.harm());
                });
    }

    private String harmThoseOfKvstores(Member worker, DataPlane.Harm harm) throws IOException, InterruptedException {
        var pulls = members.pulls(worker);
        dataPlane.begin(harm);
        prompts.ask();
        restart(List.of(worker));
        prompts.ask();
        return harmed(pulls, worker);
    }

    private String harmThoseOfWorkers(Member worker, DataPlane.Harm harm) throws IOException, InterruptedException {
        var asked = prompts.ask(PROMPTS_PER_WORKER * members.with("worker").size());
        restart(List.of(worker));
        members.awaitWhole(settings);
        var pulls = members.pulls(null);
        dataPlane.begin(harm);
        prompts.askAll(asked);
        return harmed(pulls, null);
    }

    /** @param but whose pulls were not counted before */
    private String harmed(Members.Pulled before, @Nullable Member but) throws IOException {
        var struck = dataPlane.end();
        return "pieces harmed by origin: %s; %s"
                .formatted(struck, members.pulls(but).minus(before));
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
            prompts.askAtOnce(2 * members.with("worker").size());
        }
        boolean there = members.await(worker, wanted, PATIENCE);
        var state = members.state(worker);
        return there
                ? " with %d sequences and %d tokens to compute"
                        .formatted(state.getRunningSequences() + state.getWaitingSequences(), state.getTokensInFlight())
                : " at rest";
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
                    return "";
                });
    }

    private void restart(Set<String> names) throws IOException, InterruptedException {
        var which = names.stream().sorted().map(members::get).toList();
        noted(
                "restart of " + which.stream().map(Member::name).collect(Collectors.joining(" and ")),
                "restart " + which.stream().map(Injector::role).collect(Collectors.joining(" and ")),
                which.stream().mapToLong(Injector::bound).max().orElse(0),
                () -> {
                    restart(which);
                    return "";
                });
    }

    /** All at once; in order, so that there is no excuse for errors. */
    private void restart(List<Member> which) throws IOException, InterruptedException {
        var spans = which.stream()
                .map(member -> timeline.begin(member.name(), Timeline.State.LEAVING))
                .toList();
        which.forEach(Member::terminate);
        for (var member : which) {
            int status = member.awaitEnd();
            if (status != 0) {
                timeline.violation("P6: %s ended with status %d on SIGTERM".formatted(member.name(), status));
                member.kill();
            }
        }
        members.startAgain(which, settings);
        spans.forEach(Timeline.Span::end);
    }

    private String restartAll() throws IOException, InterruptedException {
        for (var member : members.all()) {
            restart(List.of(member));
            members.awaitWhole(settings);
        }
        return "";
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

    private String cutOff(Set<String> side, Set<String> others, Fault.Partition fault) {
        var spans = side.stream()
                .map(name -> timeline.begin(name, Timeline.State.CUT_OFF))
                .toList();
        others.add(Links.PULLERS);
        members.links().cut(others, side);
        if (!fault.deaf()) {
            members.links().cut(side, others);
        }
        sleep(fault.millis());
        members.links().heal();
        spans.forEach(Timeline.Span::end);
        return "";
    }

    private void reset(boolean ofClients) throws IOException, InterruptedException {
        var whose = ofClients ? "clients" : "members";
        var spans = new ArrayList<Timeline.Span>();
        noted("all connections of %s reset".formatted(whose), "reset of " + whose, 0, () -> {
            if (ofClients) {
                members.with("router").forEach(one -> spans.add(timeline.begin(one.name(), Timeline.State.CUT_OFF)));
            }
            int count = members.all().stream()
                    .mapToInt(member -> member.reset(ofClients))
                    .sum();
            spans.forEach(Timeline.Span::end);
            return count + " connections";
        });
    }

    private static void sleep(long millis) {
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(millis));
    }
}
