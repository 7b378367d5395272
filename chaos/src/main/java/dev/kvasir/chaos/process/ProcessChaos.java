package dev.kvasir.chaos.process;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;

/**
 * A cluster of real processes under load. One thing after the other goes wrong, never so much at a time that no router or no
 * worker is left; every answer must be the one that the calm cluster gave, and every request must be answered. A seed decides
 * what goes wrong.
 */
public final class ProcessChaos {
    private static final int DISTINCT = 16;
    private static final int SHORT_DISTINCT = 4;

    /** Longer than a lease. */
    private static final long SHORT_STOP_MILLIS = 3000;

    /** Processes that start need what clients leave of the processors. */
    private static final long SHORT_PAUSE_MILLIS = 500;

    /** It runs in builds, which leave processes little time. */
    private static final int SHORT_SLACK = 6;

    /** So many of the probes tell how fast calm times are. */
    private static final int CALM_PROBES = 6;

    /**
     * How much of it.
     *
     * @param streams clients of the client library at a time
     * @param plain clients of HTTP at a time
     * @param pauseMillis of a client between two requests
     * @param slack factor on promised times
     */
    record Scale(Roster roster, int distinct, int streams, int plain, long pauseMillis, Settings settings, int slack) {
        static Scale forMachine() {
            var roster = Roster.forMachine(Runtime.getRuntime().availableProcessors());
            return new Scale(roster, DISTINCT, 3, 2, 0, Settings.USUAL, 1);
        }
    }

    private final long seed;
    private final Path folder;
    private final Consumer<String> out;

    /** Reports, logs and all files of members go to {@code folder}. */
    public ProcessChaos(long seed, Path folder, PrintWriter out) {
        this.seed = seed;
        this.folder = folder;
        this.out = line -> {
            out.println(line);
            out.flush();
        };
    }

    /** Five to seven processes and one fault after the other, as the seed says; whether every promise held. */
    public boolean run(Duration duration) throws IOException, InterruptedException {
        var scale = Scale.forMachine();
        var plan = new FaultPlan(seed, scale.roster(), true);
        return run(scale, (injector, timeline) -> {
            long end = System.nanoTime() + duration.toNanos();
            while (System.nanoTime() - end < 0 && timeline.violations().isEmpty()) {
                LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(plan.pauseMillis()));
                injector.strike(plan.next());
            }
        });
    }

    /** Four processes and one fault of each of the commonest kinds, for some tens of seconds; whether every promise held. */
    public boolean runShort() throws IOException, InterruptedException {
        var scale = new Scale(
                Roster.small(), SHORT_DISTINCT, 2, 1, SHORT_PAUSE_MILLIS, Settings.USUAL.withoutWarmUp(), SHORT_SLACK);
        return run(scale, (injector, _) -> {
            injector.strike(new Fault.Kill("worker0", Fault.Moment.DECODE, 0));
            injector.strike(new Fault.Stop("worker1", SHORT_STOP_MILLIS));
            injector.strike(new Fault.Partition(Set.of("worker0"), false, SHORT_STOP_MILLIS));
            injector.strike(new Fault.Reset(true));
            injector.strike(new Fault.Restart(Set.of("worker1", "router1")));
            injector.strike(new Fault.Kill("router0", Fault.Moment.ANY, Fault.Kill.FOR_GOOD));
        });
    }

    /** What goes wrong. */
    interface Script {
        void play(Injector injector, Timeline timeline) throws IOException, InterruptedException;
    }

    boolean run(Scale scale, Script script) throws IOException, InterruptedException {
        Files.createDirectories(folder);
        out.accept("Starting %s; logs and reports are in %s"
                .formatted(String.join(", ", scale.roster().names()), folder));
        var calm = new Timeline();
        var dataPlane = new DataPlane(seed);
        try (var members = new Members(scale.roster(), folder, calm, out, dataPlane)) {
            // Whoever ends this program ends its cluster.
            var hook = new Thread(members::end, "chaos-end");
            Runtime.getRuntime().addShutdownHook(hook);
            try {
                return run(scale, script, members, dataPlane, calm);
            } finally {
                members.end();
                Runtime.getRuntime().removeShutdownHook(hook);
            }
        }
    }

    private boolean run(Scale scale, Script script, Members members, DataPlane dataPlane, Timeline timeline)
            throws IOException, InterruptedException {
        members.startAll(scale.settings());
        try (var load = new Load(seed, scale.distinct(), members.with("router"), timeline);
                var stalls = new Stalls(members.all())) {
            load.calibrate();
            out.accept("The calm cluster has answered; now it is under load");
            timeline.restart();
            load.start(scale.streams(), scale.plain(), scale.pauseMillis(), seed);
            load.await(Load.Kind.PROBE, CALM_PROBES);
            script.play(
                    new Injector(
                            members,
                            load,
                            dataPlane,
                            timeline,
                            scale.settings(),
                            seed,
                            line -> out.accept("  " + line)),
                    timeline);
            load.stop();
            members.awaitQuiet();
            var moved = members.moved();
            stopAll(members, timeline);
            var errors = new ArrayList<String>();
            for (var member : members.all()) {
                errors.addAll(member.errors());
            }
            stalls.addPausesOfJvms();
            var findings = Findings.of(seed, scale.slack(), load, timeline, stalls, moved, errors);
            return report(findings, scale, timeline, load);
        }
    }

    private static void stopAll(Members members, Timeline timeline) throws InterruptedException {
        // Workers first and at once: the others answer for them, and take their blocks.
        members.with("worker").forEach(Member::terminate);
        var inOrder = new ArrayList<>(members.all());
        Collections.reverse(inOrder);
        inOrder.removeIf(Member::isGone);
        for (var member : inOrder) {
            if (!member.is("worker")) {
                member.terminate();
            }
            int status = member.awaitEnd();
            if (status != 0) {
                timeline.violation("P6: %s ended with status %d on SIGTERM".formatted(member.name(), status));
            }
        }
    }

    private boolean report(Findings findings, Scale scale, Timeline timeline, Load load) throws IOException {
        List<String> lines = findings.lines();
        lines.forEach(out);
        Files.write(folder.resolve("report.txt"), lines);
        new ObjectMapper()
                .enable(SerializationFeature.INDENT_OUTPUT)
                .writeValue(folder.resolve("report.json").toFile(), findings);
        Files.writeString(
                folder.resolve("timeline.svg"),
                TimelineDrawing.draw(scale.roster().names(), timeline, load.done(), findings.seconds()));
        return findings.violations().isEmpty();
    }
}
