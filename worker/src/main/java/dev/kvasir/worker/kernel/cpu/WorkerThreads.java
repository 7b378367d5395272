package dev.kvasir.worker.kernel.cpu;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Runs the parts of one operation on a fixed set of threads, the caller among them. One caller at a time. Parts are
 * handed out first come, first served, so no thread waits for one that the system has put aside; a part's result must
 * not depend on who runs it.
 *
 * <pre>
 * unclaimed   parts nobody has started; a thread that finds it above zero claims one by decrementing
 * unfinished  parts whose results are not there yet; the caller returns at zero
 * </pre>
 *
 * A thread without work spins for about the time between two operations of a step, then parks.
 */
final class WorkerThreads implements AutoCloseable {
    private static final int SPINS = 20_000;

    /** One operation; its fields are its arguments. */
    interface Parts {
        /**
         * Computes one part.
         *
         * @param part in [0, parts)
         * @param thread in [0, threads), for scratch memory
         */
        void run(int part, int thread);
    }

    private final Worker[] workers;
    private final AtomicInteger unclaimed = new AtomicInteger();
    private final AtomicInteger unfinished = new AtomicInteger();
    private volatile boolean closed;
    private volatile @Nullable Throwable failure;
    private @Nullable Parts current;

    WorkerThreads(int threads) {
        if (threads < 1) {
            throw new IllegalArgumentException("threads %d is less than 1".formatted(threads));
        }
        workers = new Worker[threads - 1];
        for (int i = 0; i < workers.length; i++) {
            workers[i] = new Worker(i + 1);
            workers[i].start();
        }
    }

    int count() {
        return workers.length + 1;
    }

    /** Runs parts [0, parts) and returns when all are done. */
    void run(Parts operation, int parts) {
        if (parts <= 1 || workers.length == 0) {
            runHere(operation, parts);
            return;
        }
        current = operation;
        unfinished.set(parts);
        unclaimed.set(parts);
        int wanted = Math.min(workers.length, parts - 1);
        for (int i = 0; i < wanted; i++) {
            workers[i].wake();
        }
        help(0);
        for (int spins = 1; unfinished.get() > 0; spins++) {
            relax(spins);
        }
        rethrow();
    }

    /** For operations that are not worth another thread. */
    static void runHere(Parts operation, int parts) {
        for (int part = 0; part < parts; part++) {
            operation.run(part, 0);
        }
    }

    private void help(int thread) {
        while (unclaimed.get() > 0) {
            int claimed = unclaimed.getAndDecrement();
            if (claimed > 0) {
                runPart(claimed - 1, thread);
            }
        }
    }

    private void runPart(int part, int thread) {
        try {
            var operation = current;
            if (operation != null) {
                operation.run(part, thread);
            }
        } catch (Throwable e) { // Whatever it is, the caller must not wait for ever.
            failure = e;
        } finally {
            unfinished.getAndDecrement();
        }
    }

    private void rethrow() {
        var cause = failure;
        if (cause != null) {
            failure = null;
            throw new IllegalStateException("a part of a kernel failed", cause);
        }
    }

    /** The other threads may need this processor to get on. */
    @SuppressWarnings("ThreadPriorityCheck") // Yielding is for machines with fewer processors than threads.
    private static void relax(int spins) {
        if (spins % 4096 == 0) {
            Thread.yield();
        } else {
            Thread.onSpinWait();
        }
    }

    @Override
    public void close() {
        closed = true;
        for (var worker : workers) {
            LockSupport.unpark(worker);
        }
    }

    private final class Worker extends Thread {
        private final int index;
        private volatile boolean parked;

        Worker(int index) {
            super("cpu-kernels-" + index);
            this.index = index;
            setDaemon(true);
        }

        void wake() {
            if (parked) {
                LockSupport.unpark(this);
            }
        }

        @Override
        public void run() {
            while (!closed) {
                help(index);
                for (int spins = 1; unclaimed.get() <= 0 && !closed; spins++) {
                    if (spins > SPINS) {
                        park();
                        spins = 0;
                    } else {
                        relax(spins);
                    }
                }
            }
        }

        /** Announced before the last look at the work: either this sees the work or its publisher sees this parked. */
        private void park() {
            parked = true;
            if (unclaimed.get() <= 0 && !closed) {
                LockSupport.park(this);
            }
            parked = false;
        }
    }
}
