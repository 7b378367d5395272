package dev.kvasir.chaos.process;

import dev.kvasir.client.KvasirClient;
import dev.kvasir.v1.GenerateRequest;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * Clients that ask without end, and compare each answer with the one that the calm cluster gave: streams of the client
 * library, small probes of it, and plain HTTP behind a load balancer, whole and as events.
 */
final class Load implements AutoCloseable {
    private static final Duration TIMEOUT = Duration.ofMinutes(3);
    private static final long PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(200);

    /** Who asked. */
    enum Kind {
        /** A stream of the client library. */
        STREAM,
        /** A few tokens by the client library, to see whether new requests are served. */
        PROBE,
        /** Plain HTTP, sent where /health says that it is well. */
        HTTP,
        /** Events of HTTP, of several prompts at a time; goes on after the last event where they break off. */
        EVENTS
    }

    /**
     * A request that was answered.
     *
     * @param id that routers log; empty where it is not known
     * @param firstNanos when its first token came; 0 where that is not known
     */
    record Done(Kind kind, String id, long beganNanos, long firstNanos, long endedNanos) {
        long millis() {
            return TimeUnit.NANOSECONDS.toMillis(endedNanos - beganNanos);
        }
    }

    /** Asks for one of the requests and waits for all of the answer. */
    private interface Asker {
        Requests.Given ask(GenerateRequest request) throws InterruptedException;
    }

    private final Timeline timeline;
    private final List<GenerateRequest> requests;
    private final List<KvasirClient> clients;
    private final Balancer balancer;
    private final EventClient events;
    private final List<String> right = new ArrayList<>();
    private final List<String> rightTexts = new ArrayList<>();
    private final List<String> rightEvents = new ArrayList<>();
    private final ConcurrentLinkedQueue<Done> done = new ConcurrentLinkedQueue<>();
    private final AtomicInteger refused = new AtomicInteger();
    private final AtomicInteger asked = new AtomicInteger();
    private final List<Thread> threads = new ArrayList<>();
    private volatile boolean stopping;

    Load(long seed, int distinct, List<Member> routers, Timeline timeline) {
        this.timeline = timeline;
        this.requests = Requests.draw(distinct, seed);
        var doors = routers.stream().map(Member::grpcAddress).toList();
        var reversed = new ArrayList<>(doors);
        Collections.reverse(reversed);
        this.clients = List.of(KvasirClient.connect(doors), KvasirClient.connect(reversed));
        this.balancer = new Balancer(routers, timeline);
        this.events = new EventClient(balancer);
    }

    /** Asks everything once, with nothing going wrong, to know the right answers. */
    void calibrate() throws InterruptedException {
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            var streams = requests.stream()
                    .map(request -> threads.submit(() -> stream(clients.getFirst(), request)))
                    .toList();
            var plain = requests.stream()
                    .map(request -> threads.submit(() -> balancer.ask(Requests.plain(request))))
                    .toList();
            var several = requests.stream()
                    .map(request -> threads.submit(() -> events.ask(Requests.several(request))))
                    .toList();
            for (int i = 0; i < requests.size(); i++) {
                rightEvents.add(several.get(i).get());
                right.add(streams.get(i).get().all());
                rightTexts.add(plain.get(i).get());
            }
        } catch (ExecutionException e) {
            throw new IllegalStateException("the calm cluster does not answer", e);
        }
    }

    private static Requests.Given stream(KvasirClient client, GenerateRequest request) {
        try (var answer = client.generate(request, TIMEOUT)) {
            return Requests.read(answer);
        }
    }

    private static Requests.Given whole(String text) {
        return new Requests.Given(text, "", 0);
    }

    /** @param pauseMillis between two requests of a client; probes have their own */
    void start(int streams, int plain, long pauseMillis, long seed) {
        long pause = TimeUnit.MILLISECONDS.toNanos(pauseMillis);
        for (int i = 0; i < streams; i++) {
            var client = clients.get(i % clients.size());
            begin(Kind.STREAM, i, seed, request -> stream(client, request), right, pause);
        }
        for (int i = 0; i < plain; i++) {
            begin(Kind.HTTP, i, seed, request -> whole(balancer.ask(Requests.plain(request))), rightTexts, pause);
        }
        begin(Kind.EVENTS, 0, seed, request -> whole(events.ask(Requests.several(request))), rightEvents, pause);
        for (int i = 0; i < clients.size(); i++) {
            var client = clients.get(i);
            var probe = Requests.probe();
            var answer = stream(client, probe).all();
            begin(
                    Kind.PROBE,
                    i,
                    seed,
                    _ -> stream(client, probe),
                    Collections.nCopies(requests.size(), answer),
                    PAUSE_NANOS);
        }
    }

    private void begin(Kind kind, int number, long seed, Asker asker, List<String> expected, long pauseNanos) {
        var random = new SplittableRandom(seed + 1000L * kind.name().hashCode() + number);
        threads.add(Thread.ofVirtual().name(kind + "-" + number).start(() -> {
            while (!stopping) {
                int which = random.nextInt(requests.size());
                askOne(kind, which, asker, expected.get(which));
                LockSupport.parkNanos(pauseNanos);
            }
        }));
    }

    private void askOne(Kind kind, int which, Asker asker, String expected) {
        long began = System.nanoTime();
        asked.incrementAndGet();
        try {
            var given = asker.ask(requests.get(which));
            done.add(new Done(kind, given.id(), began, given.firstNanos(), System.nanoTime()));
            if (!given.all().equals(expected)) {
                timeline.violation("P1: %s request %d was answered%n%s%nand not%n%s"
                        .formatted(kind, which, given.all(), expected));
            }
        } catch (StatusRuntimeException e) {
            if (e.getStatus().getCode() == Status.Code.RESOURCE_EXHAUSTED) {
                refused.incrementAndGet();
                LockSupport.parkNanos(PAUSE_NANOS);
            } else {
                timeline.violation("P1: %s request %d failed after %d ms: %s"
                        .formatted(
                                kind, which, TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - began), e.getStatus()));
            }
        } catch (InterruptedException _) {
            stopping = true;
        }
    }

    /** Waits until some of a kind were answered, which all of them are in the end. */
    void await(Kind kind, int count) throws InterruptedException {
        while (count(kind) < count && timeline.violations().isEmpty()) {
            Members.pause();
        }
    }

    /** Those of a kind that were answered. */
    int count(Kind kind) {
        return (int) done.stream().filter(one -> one.kind() == kind).count();
    }

    /** Lets what is under way end. */
    void stop() throws InterruptedException {
        stopping = true;
        for (var thread : threads) {
            thread.join();
        }
    }

    int asked() {
        return asked.get();
    }

    int refused() {
        return refused.get();
    }

    /** Plain requests that a lost router answered with an error, which is its right; another answered them then. */
    int excused() {
        return balancer.excused();
    }

    /** Events of HTTP that went on elsewhere. */
    int resumed() {
        return events.resumed();
    }

    List<Done> done() {
        return List.copyOf(done);
    }

    @Override
    public void close() {
        stopping = true;
        events.close();
        balancer.close();
        clients.forEach(KvasirClient::close);
    }
}
