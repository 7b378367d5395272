package dev.kvasir.worker.kernel.cpu;

import static dev.kvasir.worker.kernel.cpu.Memory.FLOATS;
import static dev.kvasir.worker.kernel.cpu.Memory.LANES;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.Arrays;
import java.util.function.LongSupplier;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/**
 * What this machine can do at best, measured beside what is compared with it: on a shared machine both get slower together,
 * and only their ratio means anything. With one thread the clock is that thread's processor time, which stands still while
 * others have the processor.
 */
final class Measurement {
    private static final int PEAK_STEPS = 40_000;
    private static final int READ_BYTES = 256 << 20;

    private final WorkerThreads threads;
    private final MemorySegment memory = Arena.global().allocate(READ_BYTES, 4096);
    private final float[] sinks;
    private final LongSupplier clock;

    Measurement(WorkerThreads threads) {
        this.threads = threads;
        ThreadMXBean processor = ManagementFactory.getThreadMXBean();
        clock = threads.count() == 1 ? processor::getCurrentThreadCpuTime : System::nanoTime;
        sinks = new float[16 * threads.count()];
        memory.fill((byte) 1);
        for (int i = 0; i < 300; i++) {
            peak(100);
            read(memory.address(), 1 << 14);
        }
    }

    /** Median seconds of some runs. */
    double median(int runs, Runnable operation) {
        var seconds = new double[runs];
        for (int i = 0; i < runs; i++) {
            long start = clock.getAsLong();
            operation.run();
            seconds[i] = (clock.getAsLong() - start) * 1e-9;
        }
        Arrays.sort(seconds);
        return seconds[runs / 2];
    }

    /** FLOP/s of multiply-adds on registers, all threads. */
    double peakFlops() {
        int parts = 8 * threads.count();
        double seconds = median(5, () -> threads.run((part, thread) -> sinks[16 * thread] += peak(PEAK_STEPS), parts));
        return parts * (double) PEAK_STEPS * 12 * 2 * LANES / seconds;
    }

    /** Bytes/s read from memory, all threads. */
    double bandwidth() {
        int bytes = 1 << 20;
        double seconds = median(
                3,
                () -> threads.run(
                        (part, thread) -> sinks[16 * thread] += read(memory.address() + (long) part * bytes, bytes),
                        READ_BYTES / bytes));
        return READ_BYTES / seconds;
    }

    private static float peak(int steps) {
        var factor = FloatVector.broadcast(FLOATS, 0.999f);
        var a = FloatVector.broadcast(FLOATS, 1f);
        var b = a;
        var c = a;
        var d = a;
        var e = a;
        var f = a;
        var g = a;
        var h = a;
        var i = a;
        var j = a;
        var k = a;
        var l = a;
        for (int step = 0; step < steps; step++) {
            a = a.fma(factor, factor);
            b = b.fma(factor, factor);
            c = c.fma(factor, factor);
            d = d.fma(factor, factor);
            e = e.fma(factor, factor);
            f = f.fma(factor, factor);
            g = g.fma(factor, factor);
            h = h.fma(factor, factor);
            i = i.fma(factor, factor);
            j = j.fma(factor, factor);
            k = k.fma(factor, factor);
            l = l.fma(factor, factor);
        }
        var sum = a.add(b)
                .add(c)
                .add(d)
                .add(e)
                .add(f)
                .add(g)
                .add(h)
                .add(i)
                .add(j)
                .add(k)
                .add(l);
        return sum.lane(0);
    }

    /** Four places at once: processors look ahead within each, and one alone does not use up the memory's rate. */
    private static int read(long from, int bytes) {
        int quarter = bytes / 4;
        long second = from + quarter;
        long third = second + quarter;
        long fourth = third + quarter;
        var a = IntVector.zero(Memory.INTS);
        var b = a;
        var c = a;
        var d = a;
        for (int i = 0; i < quarter; i += 4 * LANES) {
            a = a.add(Memory.loadInts(from + i));
            b = b.add(Memory.loadInts(second + i));
            c = c.add(Memory.loadInts(third + i));
            d = d.add(Memory.loadInts(fourth + i));
        }
        return a.add(b).add(c).add(d).lane(0);
    }
}
