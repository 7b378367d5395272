package dev.kvasir.chaos.process;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * When this process and the members were ready to run and did not: how late a thread of this process woke up, how long
 * members' threads waited for a processor (Linux), and how long their JVMs stood still. It excuses nothing; it says how much of
 * a delay was the machine's. Thread-safe.
 */
final class Stalls implements AutoCloseable {
    private static final long SLEEP_NANOS = TimeUnit.MILLISECONDS.toNanos(10);
    private static final long SAMPLE_NANOS = TimeUnit.MILLISECONDS.toNanos(500);
    private static final long NOTED_NANOS = TimeUnit.MILLISECONDS.toNanos(30);
    private static final Path PRESSURE = Path.of("/proc/pressure/cpu");
    private static final Pattern SAFEPOINT = Pattern.compile("\\[(\\d+)ms].* Total: +(\\d+) ns");

    /** Somebody did not run. */
    private record Stall(String who, long fromNanos, long toNanos) {
        long within(long from, long to) {
            return Math.max(0, Math.min(to, toNanos) - Math.max(from, fromNanos));
        }
    }

    /** Nanoseconds that the threads of a process ran, and that they waited for a processor. */
    private record Share(long ran, long waited) {
        static final Share NONE = new Share(0, 0);

        Share plus(Share other) {
            return new Share(ran + other.ran, waited + other.waited);
        }

        Share minus(Share other) {
            return new Share(Math.max(0, ran - other.ran), Math.max(0, waited - other.waited));
        }
    }

    /** Sums up to a time; {@code shortMicros} is when some thread of the machine waited for a processor. */
    private record Sample(long atNanos, Map<String, Share> members, long shortMicros) {}

    private final List<Member> members;
    private final List<Stall> stalls = new ArrayList<>();
    private final List<Sample> samples = new ArrayList<>();
    private final Map<String, Share> sums = new LinkedHashMap<>();
    private final Map<Path, Share> threads = new LinkedHashMap<>();
    private final Thread thread;
    private volatile boolean closed;

    Stalls(List<Member> members) {
        this.members = List.copyOf(members);
        this.thread = Thread.ofPlatform().name("chaos-stalls").daemon().start(this::watch);
    }

    private void watch() {
        long sampled = System.nanoTime() - SAMPLE_NANOS;
        while (!closed) {
            long before = System.nanoTime();
            LockSupport.parkNanos(SLEEP_NANOS);
            long now = System.nanoTime();
            if (now - before - SLEEP_NANOS > NOTED_NANOS) {
                add(new Stall("this program", before + SLEEP_NANOS, now));
            }
            if (now - sampled >= SAMPLE_NANOS) {
                sampled = now;
                sample();
            }
        }
    }

    private synchronized void add(Stall stall) {
        stalls.add(stall);
    }

    private void sample() {
        for (var member : members) {
            long pid = member.pid();
            if (pid > 0) {
                addShares(member.name(), Path.of("/proc/%d/task".formatted(pid)));
            }
        }
        var sample = new Sample(System.nanoTime(), Map.copyOf(sums), shortMicros());
        synchronized (this) {
            samples.add(sample);
        }
    }

    /** Threads come and go; what they had up to the last look counts. */
    private void addShares(String member, Path tasks) {
        try (var found = Files.list(tasks)) {
            found.forEach(task -> {
                var now = share(task.resolve("schedstat"));
                if (now != null) {
                    var before = threads.put(task, now);
                    sums.merge(member, before == null ? now : now.minus(before), Share::plus);
                }
            });
        } catch (IOException | UncheckedIOException _) {
            // No such process any more, or no such files on this system: nothing is known then.
        }
    }

    private static @Nullable Share share(Path schedstat) {
        try {
            var fields = Files.readString(schedstat).trim().split(" ", -1);
            return new Share(Long.parseLong(fields[0]), Long.parseLong(fields[1]));
        } catch (IOException _) {
            return null; // The thread has ended meanwhile.
        }
    }

    private static long shortMicros() {
        try (var lines = Files.lines(PRESSURE)) {
            return lines.filter(line -> line.startsWith("some "))
                    .mapToLong(line -> Long.parseLong(line.substring(line.lastIndexOf('=') + 1)))
                    .findFirst()
                    .orElse(0);
        } catch (IOException | UncheckedIOException _) {
            return 0;
        }
    }

    /** Adds when JVMs stood still, as their logs of safepoints say; for the end. */
    void addPausesOfJvms() throws IOException {
        long millis = System.currentTimeMillis();
        long nanos = System.nanoTime();
        for (var member : members) {
            for (var log : member.pauseLogs()) {
                try (var lines = Files.lines(log)) {
                    lines.forEach(line -> {
                        var match = SAFEPOINT.matcher(line);
                        if (match.find() && Long.parseLong(match.group(2)) > NOTED_NANOS) {
                            long end = nanos - TimeUnit.MILLISECONDS.toNanos(millis - Long.parseLong(match.group(1)));
                            add(new Stall(member.name(), end - Long.parseLong(match.group(2)), end));
                        }
                    });
                }
            }
        }
    }

    /** Who did not run between two times, and for how long; in words. */
    synchronized String between(long from, long to) {
        var longest = new LinkedHashMap<String, Long>();
        for (var stall : stalls) {
            long within = stall.within(from, to);
            if (within > 0) {
                longest.merge(stall.who(), within, Math::max);
            }
        }
        var words = new ArrayList<String>();
        longest.forEach((who, nanos) ->
                words.add("%s stood still for up to %d ms".formatted(who, TimeUnit.NANOSECONDS.toMillis(nanos))));
        if (!samples.isEmpty()) {
            words.addAll(shares(at(from), at(to)));
        }
        return words.isEmpty() ? "nobody stood still" : String.join("; ", words);
    }

    private static List<String> shares(Sample first, Sample last) {
        var words = new ArrayList<String>();
        long micros = TimeUnit.NANOSECONDS.toMicros(last.atNanos - first.atNanos);
        if (micros > 0 && last.shortMicros > 0) {
            words.add("processors were short %d %% of the time"
                    .formatted(100 * (last.shortMicros - first.shortMicros) / micros));
        }
        var waits = last.members.entrySet().stream()
                .map(member -> {
                    var share = member.getValue().minus(first.members.getOrDefault(member.getKey(), Share.NONE));
                    return "%s %.1f s for %.1f s".formatted(member.getKey(), share.waited() / 1e9, share.ran() / 1e9);
                })
                .sorted()
                .collect(Collectors.joining(", "));
        if (!waits.isEmpty() && micros > 0) {
            words.add("threads waited for processors: " + waits + " of work");
        }
        return words;
    }

    /** Processes that want to run, as the system counts them over a minute. */
    static double loadAverage() {
        return ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage();
    }

    /** The sample nearest to a time. */
    private Sample at(long nanos) {
        var nearest = samples.getFirst();
        for (var sample : samples) {
            if (Math.abs(sample.atNanos - nanos) < Math.abs(nearest.atNanos - nanos)) {
                nearest = sample;
            }
        }
        return nearest;
    }

    @Override
    public void close() {
        closed = true;
        thread.interrupt();
    }
}
