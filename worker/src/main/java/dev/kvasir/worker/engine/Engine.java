package dev.kvasir.worker.engine;

import dev.kvasir.kvstore.block.BlockLoans;
import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.StreamEvent;
import dev.kvasir.worker.runner.ModelRunner;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The step loop: one named thread that owns core and runner, and through them the device. Others hand it requests through a
 * bounded queue and read its load; without requests it sleeps. When runner or core break, all requests fail, the owner is
 * told, and the thread ends.
 */
public final class Engine {
    private static final Logger LOG = LoggerFactory.getLogger(Engine.class);
    private static final int TASKS_MAX = 1024;
    private static final long PULL_POLL_NANOS = 5_000_000;

    private static final long BETWEEN_STEPS = Long.MIN_VALUE;

    private final EngineCore core;
    private final ModelRunner runner;
    private final EngineObserver observer;
    private final LongSupplier clock;
    private final Consumer<Throwable> broken;
    private final ArrayBlockingQueue<ActiveRequest> submitted;
    private final ArrayBlockingQueue<Consumer<EngineCore>> tasks = new ArrayBlockingQueue<>(TASKS_MAX);
    private final CountDownLatch ended = new CountDownLatch(1);
    private final Thread thread;
    private final Object gate = new Object();
    private boolean closed;
    private volatile boolean stopping;
    private volatile EngineLoad load;
    private volatile long stepBeganNanos = BETWEEN_STEPS;
    private volatile long slowestStepNanos;

    /**
     * @param submissionsMax requests handed over but not yet seen by the thread
     * @param clock nanoseconds, monotonic
     * @param broken told, by the engine's thread, that it has failed for good
     */
    public Engine(
            String name,
            EngineCore core,
            ModelRunner runner,
            EngineObserver observer,
            int submissionsMax,
            LongSupplier clock,
            Consumer<Throwable> broken) {
        this.core = core;
        this.runner = runner;
        this.observer = observer;
        this.clock = clock;
        this.broken = broken;
        this.submitted = new ArrayBlockingQueue<>(submissionsMax);
        this.load = core.load();
        observer.loaded(load);
        this.thread = Thread.ofPlatform().name(name).daemon().unstarted(this::loop);
    }

    public void start() {
        thread.start();
    }

    /** Hands a request over; its sink hears all else, refusals included. */
    public void submit(ActiveRequest request) {
        boolean open;
        boolean taken = false;
        synchronized (gate) {
            open = !closed;
            if (open) {
                taken = submitted.offer(request);
            }
        }
        if (taken) {
            LockSupport.unpark(thread);
        } else if (open) {
            refuse(request, FailureKind.RESOURCE_EXHAUSTED, "the worker's queue of new requests is full", 1_000);
        } else {
            refuse(request, FailureKind.UNAVAILABLE, "the engine has stopped", 0);
        }
    }

    /** Has the engine's thread run a short task between two steps; false where it has too many already, or has ended. */
    public boolean execute(Consumer<EngineCore> task) {
        synchronized (gate) {
            if (closed || !tasks.offer(task)) {
                return false;
            }
        }
        LockSupport.unpark(thread);
        return true;
    }

    /** Gives a loan or reservation of blocks back; in any case, and soon. */
    public void giveBack(BlockLoans.Loan loan) {
        core.giveBack(loan);
        // Where there is no room for a task, the thread is busy and comes to it by itself.
        var _ = execute(_ -> {});
    }

    /** As of the last step. */
    public EngineLoad load() {
        return load;
    }

    /** Where the thread is, on the engine's clock. */
    public EngineProgress progress(long nowNanos) {
        long began = stepBeganNanos;
        return new EngineProgress(began == BETWEEN_STEPS ? 0 : Math.max(0, nowNanos - began), slowestStepNanos);
    }

    /** Makes the thread fail what it has and end; returns at once. */
    public void stop() {
        stopping = true;
        LockSupport.unpark(thread);
    }

    /** Waits until the thread has ended and the runner is closed. */
    public boolean awaitEnd(long timeoutMillis) throws InterruptedException {
        return ended.await(timeoutMillis, TimeUnit.MILLISECONDS);
    }

    private void loop() {
        try {
            while (!stopping) {
                drain();
                if (core.isIdle()) {
                    park();
                } else {
                    step();
                    publishLoad();
                    if (core.waitsForPulls() && submitted.isEmpty() && tasks.isEmpty()) {
                        LockSupport.parkNanos(this, PULL_POLL_NANOS);
                    }
                }
            }
            end(FailureKind.UNAVAILABLE, "the worker stops");
        } catch (Throwable e) { // Errors of native code and memory too: nobody else would answer the requests.
            LOG.error("engine failed; all its requests fail", e);
            end(FailureKind.UNAVAILABLE, "the engine failed: " + e);
            broken.accept(e);
        } finally {
            runner.close();
            ended.countDown();
        }
    }

    private void step() {
        long began = clock.getAsLong();
        stepBeganNanos = began;
        core.step(began);
        stepBeganNanos = BETWEEN_STEPS;
        slowestStepNanos = Math.max(slowestStepNanos, clock.getAsLong() - began);
    }

    private void drain() {
        ActiveRequest request;
        boolean some = false;
        while ((request = submitted.poll()) != null) {
            core.submit(request, clock.getAsLong());
            some = true;
        }
        Consumer<EngineCore> task;
        while ((task = tasks.poll()) != null) {
            task.accept(core);
            some = true;
        }
        if (some) {
            core.flushShared();
            publishLoad();
        }
    }

    private void park() {
        while (submitted.isEmpty() && tasks.isEmpty() && !stopping) {
            LockSupport.park(this);
        }
    }

    private void publishLoad() {
        var now = core.load();
        if (!now.equals(load)) {
            load = now;
            observer.loaded(now);
        }
    }

    private void end(FailureKind kind, String message) {
        synchronized (gate) {
            closed = true;
        }
        core.abandon(kind, message);
        ActiveRequest request;
        while ((request = submitted.poll()) != null) {
            refuse(request, kind, message, 0);
        }
    }

    private static void refuse(ActiveRequest request, FailureKind kind, String message, long retryAfterMillis) {
        request.sink().publish(new StreamEvent.Failed(request.id(), kind, message, retryAfterMillis));
        request.sink().ended();
    }
}
