package dev.kvasir.bench;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Queue;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/** Runs a workload against one server by a schedule; one virtual thread per request in flight. */
public final class LoadGenerator {
    private final Target target;
    private final Workload workload;
    private final Progress progress;
    private final long startNanos = System.nanoTime();
    private final Queue<RequestResult> results = new ConcurrentLinkedQueue<>();

    private LoadGenerator(Target target, Workload workload, Progress progress) {
        this.target = target;
        this.workload = workload;
        this.progress = progress;
    }

    /** Runs the whole workload; results by index. */
    public static List<RequestResult> run(Target target, Workload workload, Schedule schedule, Progress progress)
            throws InterruptedException {
        var generator = new LoadGenerator(target, workload, progress);
        try (var client = new OpenAiClient(target.server(), generator::now)) {
            switch (schedule) {
                case Schedule.Closed closed -> generator.closedLoop(client, closed);
                case Schedule.Open open -> generator.openLoop(client, open);
            }
        }
        var ordered = new ArrayList<>(generator.results);
        ordered.sort(Comparator.comparingInt(RequestResult::index));
        return ordered;
    }

    /** Sends requests that share nothing with the workload and forgets their times; the first failure ends the benchmark. */
    public static void warmUp(Target target, Workload workload, int count) throws InterruptedException {
        long start = System.nanoTime();
        try (var client = new OpenAiClient(target.server(), () -> System.nanoTime() - start)) {
            for (int i = 0; i < count; i++) {
                var failure = client.run(workload.warmUp(i), 0, target).failure();
                if (failure != null) {
                    throw new BenchException("the first request to %s failed: %s: %s"
                            .formatted(target.server().url(), failure.kind(), failure.message()));
                }
            }
        }
    }

    private long now() {
        return System.nanoTime() - startNanos;
    }

    private void closedLoop(OpenAiClient client, Schedule.Closed closed) throws InterruptedException {
        var next = new AtomicInteger();
        var streams = new ArrayList<Thread>();
        for (int i = 0; i < Math.min(closed.concurrency(), workload.count()); i++) {
            streams.add(Thread.startVirtualThread(() -> {
                for (int index = next.getAndIncrement(); index < workload.count(); index = next.getAndIncrement()) {
                    var planned = workload.request(index);
                    if (!run(client, planned, now())) {
                        return;
                    }
                }
            }));
        }
        join(streams);
    }

    private void openLoop(OpenAiClient client, Schedule.Open open) throws InterruptedException {
        var times = open.sendTimes(workload.count(), new SplittableRandom(workload.seed()));
        var inFlight = new Semaphore(open.inFlightMax());
        var streams = new ArrayList<Thread>();
        long origin = now();
        for (int i = 0; i < times.length; i++) {
            var planned = workload.request(i);
            long intended = origin + times[i];
            waitUntil(intended);
            inFlight.acquire();
            streams.add(Thread.startVirtualThread(() -> {
                run(client, planned, intended);
                inFlight.release();
            }));
        }
        join(streams);
    }

    private boolean run(OpenAiClient client, PlannedRequest planned, long intended) {
        try {
            results.add(client.run(planned, intended, target));
            progress.step();
            return true;
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    private static void join(List<Thread> streams) throws InterruptedException {
        for (var stream : streams) {
            stream.join();
        }
    }

    private void waitUntil(long intended) throws InterruptedException {
        for (long left = intended - now(); left > 0; left = intended - now()) {
            if (Thread.interrupted()) {
                throw new InterruptedException();
            }
            LockSupport.parkNanos(left);
        }
    }
}
