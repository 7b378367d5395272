package dev.kvasir.worker.kernel;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The threads of all ranks but the first, whose part runs on the caller's. One caller at a time. A thread without work spins
 * for a while, then parks: steps follow each other closely while there is something to do, and waking takes as long as many a
 * kernel.
 */
public final class RankThreads implements AutoCloseable {
    private static final int SPINS_BETWEEN_LOOKS = 64;

    private final Follower[] followers;

    /**
     * Starts threads.
     *
     * @param name of the threads, which their ranks are added to
     * @param spinTime how long one waits for its next task before it parks
     */
    public RankThreads(int count, String name, Duration spinTime) {
        followers = new Follower[count - 1];
        for (int i = 0; i < followers.length; i++) {
            followers[i] = new Follower(name, i + 1, spinTime.toNanos());
            followers[i].start();
        }
    }

    public int count() {
        return followers.length + 1;
    }

    /** Runs a task once for each rank and returns when all have; then throws what the first of those that failed threw. */
    public void each(RankTask task) {
        for (var follower : followers) {
            follower.begin(task);
        }
        Throwable failure = null;
        try {
            task.run(0);
        } catch (RuntimeException | Error e) {
            failure = e;
        }
        for (var follower : followers) {
            var other = follower.await();
            failure = failure == null ? other : failure;
        }
        switch (failure) {
            case null -> {}
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            default -> throw new IllegalStateException("a rank failed", failure);
        }
    }

    @Override
    public void close() {
        for (var follower : followers) {
            follower.end();
        }
    }

    private static final class Follower extends Thread {
        private final int rank;
        private final long spinNanos;
        private volatile @Nullable RankTask task;
        private volatile @Nullable Thread caller;
        private volatile boolean closed;
        /** Written before {@link #task} is cleared, read after. */
        private @Nullable Throwable failure;

        Follower(String name, int rank, long spinNanos) {
            super(name + "-" + rank);
            this.rank = rank;
            this.spinNanos = spinNanos;
            setDaemon(true);
        }

        void begin(RankTask next) {
            caller = Thread.currentThread();
            failure = null;
            task = next;
            LockSupport.unpark(this);
        }

        /** What the task threw, if it did. */
        @Nullable
        Throwable await() {
            long from = System.nanoTime();
            for (int spins = 1; task != null; spins++) {
                pause(spins, from);
            }
            return failure;
        }

        void end() {
            closed = true;
            LockSupport.unpark(this);
        }

        @Override
        public void run() {
            while (true) {
                RankTask next = task;
                long from = System.nanoTime();
                for (int spins = 1; next == null; spins++) {
                    if (closed) {
                        return;
                    }
                    pause(spins, from);
                    next = task;
                }
                try {
                    next.run(rank);
                } catch (Throwable e) { // Whatever it is, the caller must not wait for ever.
                    failure = e;
                }
                task = null;
                LockSupport.unpark(caller);
            }
        }

        /** Parking returns at once where the other side has unparked before. */
        private void pause(int spins, long from) {
            if (spins % SPINS_BETWEEN_LOOKS != 0) {
                Thread.onSpinWait();
            } else if (System.nanoTime() - from > spinNanos) {
                LockSupport.park();
            }
        }
    }
}
