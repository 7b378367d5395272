package dev.kvasir.chaos.process;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.grpc.Status;
import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * What a load balancer does for clients that know nothing of Kvasir: asks each router's /health every now and then, and sends
 * requests to those that are well. A request may fail only where its router was lost, stopped or cut off meanwhile; a router
 * that leaves in order fails none.
 */
final class Balancer implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Duration TIMEOUT = Duration.ofMinutes(2);
    private static final Duration HEALTH_TIMEOUT = Duration.ofSeconds(2);
    private static final long HEALTH_EVERY_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
    private static final long WAIT_MAX_NANOS = TimeUnit.SECONDS.toNanos(60);

    /** A connection that was reset, or a request that waits for workers the router cannot reach, fails a little later. */
    private static final long EXCUSED_AFTER_NANOS = TimeUnit.SECONDS.toNanos(20);

    private static final List<Timeline.State> EXCUSES =
            List.of(Timeline.State.DOWN, Timeline.State.STOPPED, Timeline.State.CUT_OFF);

    private final List<Member> routers;
    private final Timeline timeline;
    private final HttpClient http = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(HEALTH_TIMEOUT)
            .build();
    private final Set<Member> well = ConcurrentHashMap.newKeySet();
    private final AtomicInteger excused = new AtomicInteger();
    private final AtomicInteger next = new AtomicInteger();
    private volatile boolean closed;

    Balancer(List<Member> routers, Timeline timeline) {
        this.routers = List.copyOf(routers);
        this.timeline = timeline;
        routers.forEach(router -> Thread.ofVirtual().name("health").start(() -> watch(router)));
    }

    private void watch(Member router) {
        var request = HttpRequest.newBuilder(router.httpAddress().resolve("/health"))
                .timeout(HEALTH_TIMEOUT)
                .build();
        try {
            while (!closed) {
                try {
                    boolean isWell =
                            http.send(request, BodyHandlers.discarding()).statusCode() == 200;
                    if (isWell) {
                        well.add(router);
                    } else {
                        well.remove(router);
                    }
                } catch (IOException _) {
                    well.remove(router);
                }
                LockSupport.parkNanos(HEALTH_EVERY_NANOS);
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    /** The text of a completion. */
    String ask(ObjectNode completion) throws InterruptedException {
        while (true) {
            var router = choose();
            long began = System.nanoTime();
            String failure;
            try {
                var answer = http.send(
                        HttpRequest.newBuilder(router.httpAddress().resolve("/v1/completions"))
                                .header("Content-Type", "application/json")
                                .timeout(TIMEOUT)
                                .POST(HttpRequest.BodyPublishers.ofString(completion.toString()))
                                .build(),
                        BodyHandlers.ofString());
                if (answer.statusCode() == 200) {
                    return text(answer.body());
                }
                if (answer.statusCode() == 429) {
                    throw Status.RESOURCE_EXHAUSTED.asRuntimeException();
                }
                failure = answer.statusCode() + " " + answer.body();
            } catch (IOException e) {
                failure = e.toString();
            }
            excuse(router, began, failure);
        }
    }

    /** Counts a failure that a router may have, and waits a moment; throws where it may not. */
    void excuse(Member router, long began, String failure) {
        if (!timeline.was(router.name(), EXCUSES, began - EXCUSED_AFTER_NANOS, System.nanoTime())) {
            throw Status.UNAVAILABLE
                    .withDescription("%s answered %s".formatted(router.name(), failure))
                    .asRuntimeException();
        }
        excused.incrementAndGet();
        LockSupport.parkNanos(HEALTH_EVERY_NANOS);
    }

    private static String text(String answer) throws JsonProcessingException {
        var choice = JSON.readTree(answer).path("choices").path(0);
        return choice.path("finish_reason").asText() + " " + choice.path("text").asText();
    }

    /** A router that is well, each in its turn. */
    Member choose() {
        long end = System.nanoTime() + WAIT_MAX_NANOS;
        while (!closed) {
            var candidates = routers.stream().filter(well::contains).toList();
            if (!candidates.isEmpty()) {
                return candidates.get(Math.floorMod(next.getAndIncrement(), candidates.size()));
            }
            if (System.nanoTime() - end > 0) {
                break;
            }
            LockSupport.parkNanos(HEALTH_EVERY_NANOS);
        }
        throw Status.UNAVAILABLE
                .withDescription(
                        "no router was well for %d s".formatted(TimeUnit.NANOSECONDS.toSeconds(WAIT_MAX_NANOS)))
                .asRuntimeException();
    }

    int excused() {
        return excused.get();
    }

    @Override
    public void close() {
        closed = true;
        http.shutdownNow();
    }
}
