package dev.kvasir.chaos.process;

import dev.kvasir.chaos.process.Load.Done;
import dev.kvasir.chaos.process.Load.Kind;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * What a run showed.
 *
 * @param seed that replays its faults
 * @param seconds of load
 * @param calmProbeMillis slowest probe before the first fault
 * @param faults each with what clients saw meanwhile
 * @param moved of the workers that were there at the end
 * @param errors lines of members' logs
 * @param machine who did not run meanwhile, and how busy the machine was
 */
record Findings(
        long seed,
        double seconds,
        long calmProbeMillis,
        int asked,
        int answered,
        int refused,
        int excused,
        int resumed,
        List<Seen> faults,
        Members.Moved moved,
        List<String> violations,
        List<String> skipped,
        List<String> errors,
        String machine) {
    private static final long NOTED_MILLIS = 3000;

    /**
     * A fault and what clients saw of it.
     *
     * @param secondsIn when it struck
     * @param wholeMillis until all members knew each other again
     * @param probeMillis slowest probe that began meanwhile
     * @param streamMillis slowest stream that was under way when it struck, or began meanwhile
     * @param slowestProbe the slowest probe in words, and who did not run meanwhile
     * @param outcome what else came of it
     */
    record Seen(
            String what,
            String kind,
            double secondsIn,
            long wholeMillis,
            long probeMillis,
            long streamMillis,
            String slowestProbe,
            String outcome) {}

    /** Sums over faults of a kind. */
    record OfKind(int count, long probeMillis, long wholeMillis) {}

    /** @param slack factor on the times within which new requests must be answered, for machines that do much else */
    static Findings of(
            long seed,
            int slack,
            Load load,
            Timeline timeline,
            Stalls stalls,
            Members.Moved moved,
            List<String> errors) {
        var done = load.done();
        var events = timeline.events();
        long firstFault = events.isEmpty() ? Long.MAX_VALUE : events.getFirst().atNanos();
        long calm = done.stream()
                .filter(one -> one.kind() == Kind.PROBE && one.endedNanos() < firstFault)
                .mapToLong(Done::millis)
                .max()
                .orElse(0);
        var violations = new ArrayList<>(timeline.violations());
        var faults = new ArrayList<Seen>();
        for (var event : events) {
            var slowest = slowest(done, Kind.PROBE, event.atNanos(), event.atNanos(), event.wholeNanos());
            long probe = slowest.map(Done::millis).orElse(0L);
            var words = slowest.map(one -> words(one, event, stalls)).orElse("");
            long stream = slowest(done, Kind.STREAM, Long.MIN_VALUE, event.atNanos(), event.wholeNanos())
                    .map(Done::millis)
                    .orElse(0L);
            faults.add(new Seen(
                    event.what(),
                    event.kind(),
                    (event.atNanos() - timeline.beganNanos()) / 1e9,
                    TimeUnit.NANOSECONDS.toMillis(event.wholeNanos() - event.atNanos()),
                    probe,
                    stream,
                    words,
                    event.outcome()));
            if (event.boundMillis() > 0 && probe > slack * (event.boundMillis() + calm)) {
                violations.add(
                        "P5: after '%s' a new request took %d ms, which is more than %d ms and the %d ms of calm times: %s"
                                .formatted(event.what(), probe, event.boundMillis(), calm, words));
            }
        }
        long last = done.stream().mapToLong(Done::endedNanos).max().orElse(timeline.beganNanos());
        return new Findings(
                seed,
                (last - timeline.beganNanos()) / 1e9,
                calm,
                load.asked(),
                done.size(),
                load.refused(),
                load.excused(),
                load.resumed(),
                faults,
                moved,
                violations,
                timeline.skipped(),
                errors,
                "load average %.0f; %s".formatted(Stalls.loadAverage(), stalls.between(timeline.beganNanos(), last)));
    }

    /** The slowest request of a kind that began after {@code notBefore} and was under way between the two others. */
    private static Optional<Done> slowest(List<Done> done, Kind kind, long notBefore, long from, long to) {
        return done.stream()
                .filter(one -> one.kind() == kind
                        && one.beganNanos() >= notBefore
                        && one.beganNanos() <= to
                        && one.endedNanos() >= from)
                .max(Comparator.comparingLong(Done::millis));
    }

    /** Where the time of a request went, as far as that can be seen from outside. */
    private static String words(Done slow, Timeline.Event event, Stalls stalls) {
        return "request %s began %d ms after the fault, its first token came after %d ms and its last after %d ms; meanwhile %s"
                .formatted(
                        slow.id(),
                        millis(slow.beganNanos() - event.atNanos()),
                        millis(slow.firstNanos() - slow.beganNanos()),
                        slow.millis(),
                        stalls.between(slow.beganNanos(), slow.endedNanos()));
    }

    private static long millis(long nanos) {
        return TimeUnit.NANOSECONDS.toMillis(nanos);
    }

    Map<String, OfKind> byKind() {
        var kinds = new LinkedHashMap<String, OfKind>();
        for (var fault : faults) {
            kinds.merge(
                    fault.kind,
                    new OfKind(1, fault.probeMillis, fault.wholeMillis),
                    (a, b) -> new OfKind(
                            a.count + b.count,
                            Math.max(a.probeMillis, b.probeMillis),
                            Math.max(a.wholeMillis, b.wholeMillis)));
        }
        return kinds;
    }

    List<String> lines() {
        var lines = new ArrayList<String>();
        lines.add("%-28s %5s %24s %24s"
                .formatted("fault", "times", "slowest new request, ms", "cluster whole after, ms"));
        byKind().forEach((kind, sum) ->
                lines.add("%-28s %5d %24d %24d".formatted(kind, sum.count(), sum.probeMillis(), sum.wholeMillis())));
        lines.add(
                "%d faults in %.0f s; %d requests, %d answered, %d refused for lack of room, %d errors of lost routers, %d answers resumed by HTTP"
                        .formatted(faults.size(), seconds, asked, answered, refused, excused, resumed));
        lines.add("slowest new request in calm times: %d ms; %d lines of errors in logs"
                .formatted(calmProbeMillis, errors.size()));
        lines.add("requests that moved knew %d tokens, of which %d were computed again"
                .formatted(moved.tokens(), moved.recomputed()));
        lines.add("machine: " + machine);
        faults.stream()
                .filter(fault -> fault.probeMillis > NOTED_MILLIS)
                .map(fault -> "  %s: %s".formatted(fault.what, fault.slowestProbe))
                .forEach(lines::add);
        faults.stream()
                .filter(fault -> !fault.outcome.isEmpty())
                .map(fault -> "  %s: %s".formatted(fault.what, fault.outcome))
                .forEach(lines::add);
        skipped.forEach(what -> lines.add("  not tried: " + what));
        violations.forEach(violation -> lines.add("VIOLATION " + violation));
        lines.add(violations.isEmpty() ? "Every promise held." : violations.size() + " violations; seed " + seed);
        return lines;
    }
}
