package dev.kvasir.bench.simulate;

import com.sun.management.ThreadMXBean;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.IntStream;

/**
 * A program: what the slowest placement decisions wait for. The clock and the thread's processor time of each, whether garbage
 * was collected meanwhile, and whether the thread was off its processor; beside a loop of about the same length that neither allocates nor
 * reads memory, so that what the machine itself does is seen. Arguments: tokens of a prompt, whether prompts came before, calls.
 */
final class PlacementTail {
    private static final int WARM_UP = 6_000;
    private static final int ROUNDS = 3;
    private static final int LOOPS = 350_000;
    /** A call that ran for less of its time than this was off its processor. */
    private static final double RUNNING = 0.7;

    private static final ThreadMXBean THREADS = ManagementFactory.getPlatformMXBean(ThreadMXBean.class);

    private final int calls;
    private final double[] clock;
    private final double[] processor;
    private final boolean[] collected;
    private long bits = 1;

    private PlacementTail(int calls) {
        this.calls = calls;
        this.clock = new double[calls];
        this.processor = new double[calls];
        this.collected = new boolean[calls];
    }

    public static void main(String[] arguments) {
        var benchmark = PlacementBenchmark.of(Integer.parseInt(arguments[0]), Boolean.parseBoolean(arguments[1]));
        var tail = new PlacementTail(Integer.parseInt(arguments[2]));
        Runnable decision = () -> require(benchmark.decision() != null);
        for (int i = 0; i < WARM_UP; i++) {
            decision.run();
            tail.loop();
        }
        for (int round = 0; round < ROUNDS; round++) {
            tail.measure("decision", decision);
            tail.measure("loop", tail::loop);
        }
    }

    private static void require(boolean placed) {
        if (!placed) {
            throw new IllegalStateException("a prompt was not placed");
        }
    }

    private void loop() {
        long x = bits;
        for (int i = 0; i < LOOPS; i++) {
            x ^= x << 13;
            x ^= x >>> 7;
            x ^= x << 17;
        }
        bits = x;
    }

    private static long collections() {
        return ManagementFactory.getGarbageCollectorMXBeans().stream()
                .mapToLong(GarbageCollectorMXBean::getCollectionCount)
                .sum();
    }

    private void measure(String what, Runnable call) {
        long before = collections();
        for (int i = 0; i < calls; i++) {
            long ran = THREADS.getCurrentThreadCpuTime();
            long began = System.nanoTime();
            call.run();
            clock[i] = (System.nanoTime() - began) / 1e3;
            processor[i] = (THREADS.getCurrentThreadCpuTime() - ran) / 1e3;
            long now = collections();
            collected[i] = now != before;
            before = now;
        }
        tell(what);
    }

    private void tell(String what) {
        double slow = at(clock, 0.99);
        int[] slowest = IntStream.range(0, calls).filter(i -> clock[i] >= slow).toArray();
        System.out.printf(
                Locale.ROOT,
                "%s: clock p50 %.0f, p99 %.0f, p99.9 %.0f us; processor p50 %.0f, p99 %.0f, p99.9 %.0f us; collections in %d of %d calls;"
                        + " of the %d slowest %d with a collection, %d off the processor%n",
                what,
                at(clock, 0.5),
                slow,
                at(clock, 0.999),
                at(processor, 0.5),
                at(processor, 0.99),
                at(processor, 0.999),
                IntStream.range(0, calls).filter(i -> collected[i]).count(),
                calls,
                slowest.length,
                Arrays.stream(slowest).filter(i -> collected[i]).count(),
                Arrays.stream(slowest)
                        .filter(i -> !collected[i] && processor[i] < RUNNING * clock[i])
                        .count());
    }

    private static double at(double[] values, double share) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        return sorted[(int) (share * (sorted.length - 1))];
    }
}
