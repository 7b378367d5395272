package dev.kvasir.worker;

import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** The one thread beside the engine's that uses a worker's device: for blocks of and for its neighbours. Bounded. */
final class NearThread implements AutoCloseable {
    private static final int TASKS_MAX = 256;

    private final ThreadPoolExecutor executor = new ThreadPoolExecutor(
            1,
            1,
            0,
            TimeUnit.SECONDS,
            new ArrayBlockingQueue<>(TASKS_MAX),
            task -> Thread.ofPlatform().name("kvasir-near").daemon().unstarted(task));

    /** Runs a task after those before it. Where there are too many, or it is closed, that is what the result says. */
    <T> CompletableFuture<T> call(Callable<T> task) {
        var result = new CompletableFuture<T>();
        try {
            executor.execute(() -> {
                try {
                    result.complete(task.call());
                } catch (Throwable e) { // Of a driver that lacks a function, too: blocks wait for this to end.
                    result.completeExceptionally(e);
                }
            });
        } catch (RejectedExecutionException e) {
            result.completeExceptionally(e);
        }
        return result;
    }

    @Override
    public void close() {
        executor.shutdown();
    }
}
