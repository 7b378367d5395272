package dev.kvasir.worker.schedule;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.kvstore.hash.HashChain;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The order of service against one that is told by looking at everything, over random histories. */
class TenantLineProperties {
    private static final int TENANTS_MAX = 3;
    private static final FairnessSettings SETTINGS = new FairnessSettings(1, 2, 20, TENANTS_MAX);

    static LongStream seeds() {
        var seed = System.getProperty("seed");
        return seed == null ? LongStream.range(0, 400) : LongStream.of(Long.parseLong(seed));
    }

    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seeds")
    void whoComesNextIsWhoWasServedLeast(long seed) {
        var history = new History(new SplittableRandom(seed));
        for (int i = 0; i < 300; i++) {
            history.something();
            history.check();
        }
    }

    @Test
    void aThousandTenantsThatLeaveAreForgotten() {
        var queues = new Queues(SETTINGS);
        for (int i = 0; i < 1_000; i++) {
            var sequence = sequence("tenant-" + i, 0, i, 5 + i % 7);
            queues.add(sequence);
            queues.start(sequence, 0, 4);
            queues.generated(sequence);
            queues.finish(sequence);
            assertThat(queues.tenantsKnown()).isLessThanOrEqualTo(TENANTS_MAX + 1);
        }
    }

    @Test
    void whatWasPromisedAndNotComputedIsPaidBack() {
        var queues = new Queues(SETTINGS);
        var rival = sequence("rival", 0, 0, 1);
        queues.add(rival);
        var sequence = sequence("a", 0, 1, 100);
        queues.add(sequence);
        queues.start(sequence, 5, 4);
        assertThat(queues.served("a")).isEqualTo(80);
        sequence.computedTo(50);
        queues.preempt(sequence);
        queues.start(sequence, 0, 4);
        sequence.computedTo(30);
        assertThat(queues.served("a")).as("computing again is free").isEqualTo(80);
        queues.finish(sequence);
        assertThat(queues.served("a")).as("[20, 50) was computed").isEqualTo(30);
    }

    private static Sequence sequence(String tenant, int priority, long arrival, int length) {
        var standing = new Standing(tenant, priority, arrival + priority * 10L, arrival);
        return Sequence.waiting(standing, new int[length], 1, false, HashChain.unnamed());
    }

    private static final class History {
        final SplittableRandom random;
        final Queues queues = new Queues(SETTINGS);
        final List<Sequence> waiting = new ArrayList<>();
        final List<Sequence> aside = new ArrayList<>();
        final List<Sequence> running = new ArrayList<>();
        long arrivals;

        History(SplittableRandom random) {
            this.random = random;
        }

        void something() {
            switch (random.nextInt(8)) {
                case 0, 1 -> {
                    var tenant = "tenant-" + random.nextInt(6);
                    waiting.add(sequence(tenant, random.nextInt(-2, 3), arrivals++, random.nextInt(1, 40)));
                    queues.add(waiting.getLast());
                }
                case 2 ->
                    any(waiting, sequence -> {
                        queues.start(sequence, 0, 4);
                        running.add(sequence);
                    });
                case 3 ->
                    any(running, sequence -> {
                        queues.preempt(sequence);
                        waiting.add(sequence);
                    });
                case 4 ->
                    any(running, sequence -> {
                        queues.generated(sequence);
                        running.add(sequence);
                    });
                case 5 -> any(running, queues::finish);
                case 6 ->
                    any(waiting, sequence -> {
                        queues.setAside(sequence);
                        aside.add(sequence);
                    });
                default ->
                    any(aside, sequence -> {
                        if (random.nextBoolean()) {
                            queues.putBack(sequence);
                            waiting.add(sequence);
                        } else {
                            queues.finish(sequence);
                        }
                    });
            }
        }

        private void any(List<Sequence> from, java.util.function.Consumer<Sequence> what) {
            if (!from.isEmpty()) {
                what.accept(from.remove(random.nextInt(from.size())));
            }
        }

        void check() {
            assertThat(queues.waitingCount()).isEqualTo(waiting.size());
            assertThat(queues.waitingSeats()).isEqualTo(waiting.size());
            var live = java.util.stream.Stream.of(waiting, aside, running)
                    .flatMap(List::stream)
                    .map(Sequence::tenant)
                    .distinct()
                    .count();
            assertThat((long) queues.tenantsKnown()).isLessThanOrEqualTo(live + TENANTS_MAX);
            int looks = random.nextInt(waiting.size() + 2);
            var left = new ArrayList<>(waiting);
            Map<String, Long> thought = new HashMap<>();
            queues.lookAlongWaiting();
            for (int i = 0; i < looks; i++) {
                var expected = left.stream().min(order(left, thought)).orElse(null);
                var next = queues.nextWaiting();
                assertThat(next).isSameAs(expected);
                if (next == null) {
                    return;
                }
                int cost = random.nextInt(30);
                thought.merge(next.tenant(), (long) cost, Long::sum);
                left.remove(next);
                queues.tookWaiting(cost);
            }
        }

        /** The first of each tenant by rank; among those by served, thought and priority; then by rank. */
        private Comparator<Sequence> order(List<Sequence> left, Map<String, Long> thought) {
            return Comparator.comparing((Sequence s) -> left.stream()
                            .anyMatch(o -> o.tenant().equals(s.tenant()) && Sequence.ORDER.compare(o, s) < 0))
                    .thenComparingLong(
                            s -> queues.served(s.tenant()) + thought.getOrDefault(s.tenant(), 0L) + 20L * s.priority())
                    .thenComparing(Sequence.ORDER);
        }
    }
}
