package dev.kvasir.worker;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.protocol.PrefixCacheProtocol.Holder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class OfferQueueTest {
    private static final Holder EVEN = Holder.ofStore("even", 1, 0, "even:1");
    private static final Holder ODD = Holder.ofStore("odd", 1, 0, "odd:1");
    private static final long LINGER = OfferQueue.LINGER.toNanos();

    private final OfferQueue queue = OfferQueue.background();

    private static OfferQueue.Block block(int chain, int depth) {
        return new OfferQueue.Block(new BlockHash(chain, 0), new BlockHash(chain, depth));
    }

    private static Optional<Holder> store(BlockHash first) {
        return Optional.of(first.high() % 2 == 0 ? EVEN : ODD);
    }

    private static OfferQueue.Call next(OfferQueue of, long now) {
        return Objects.requireNonNull(of.next(now, OfferQueueTest::store), "no call");
    }

    @Test
    void theFirstBlockWaitsAMomentForMoreOfItsChain() {
        assertThat(queue.add(block(2, 0), 0)).isTrue();
        assertThat(queue.add(block(2, 1), 5)).as("somebody looks already").isFalse();
        assertThat(queue.next(10, OfferQueueTest::store)).isNull();
        assertThat(queue.waitNanos(10)).isEqualTo(LINGER - 10);
        var call = next(queue, LINGER);
        assertThat(call.hashes()).containsExactly(new BlockHash(2, 0), new BlockHash(2, 1));
        assertThat(call.timeout()).isEqualTo(OfferQueue.TIMEOUT);
    }

    @Test
    void asManyAsACallTakesWaitForNoMore() {
        IntStream.range(0, OfferQueue.BATCH - 1).forEach(depth -> queue.add(block(2, depth), 0));
        assertThat(queue.next(1, OfferQueueTest::store)).isNull();

        assertThat(queue.add(block(2, OfferQueue.BATCH - 1), 2)).isTrue();

        assertThat(queue.waitNanos(2)).isZero();
        assertThat(next(queue, 2).hashes()).hasSize(OfferQueue.BATCH);
    }

    @Test
    void chainsGoToTheirKvstoresWithOneCallAtATime() {
        for (int chain = 1; chain <= 4; chain++) {
            queue.add(block(chain, 0), 0);
        }
        var first = next(queue, LINGER);
        assertThat(first.store()).isEqualTo(ODD);
        assertThat(first.hashes()).hasSize(2);
        assertThat(queue.next(LINGER, OfferQueueTest::store))
                .as("while a call is made")
                .isNull();
        assertThat(queue.waitNanos(LINGER)).isEqualTo(Long.MAX_VALUE);
        queue.ended(first, 2);
        var second = next(queue, LINGER);
        assertThat(second.store()).isEqualTo(EVEN);
        queue.failed(second);
        assertThat(queue.isIdle()).isTrue();
        assertThat(queue.held()).isEqualTo(2);
        assertThat(queue.dropped()).isEqualTo(2);
    }

    @Test
    void aCallThatFailedDoesNotHoldUpTheOthers() {
        IntStream.range(0, OfferQueue.BATCH + 10).forEach(depth -> queue.add(block(2, depth), 0));
        queue.failed(next(queue, LINGER));
        assertThat(next(queue, LINGER).hashes()).hasSize(10);
    }

    @Test
    void whatDoesNotFitIsDroppedAndCounted() {
        IntStream.range(0, OfferQueue.WAITING_MAX + 7).forEach(depth -> queue.add(block(2, depth), 0));
        assertThat(queue.waiting()).isEqualTo(OfferQueue.WAITING_MAX);
        assertThat(queue.dropped()).isEqualTo(7);
    }

    @Test
    void blocksForNoKvstoreAreDropped() {
        queue.add(block(2, 0), 0);
        assertThat(queue.next(LINGER, _ -> Optional.empty())).isNull();
        assertThat(queue.isIdle()).isTrue();
        assertThat(queue.dropped()).isEqualTo(1);
    }

    @Test
    void aHandOverBeginsAtOnceAndEndsInTime() {
        var all = new ArrayList<OfferQueue.Block>();
        IntStream.range(0, 2 * OfferQueue.BATCH).forEach(depth -> all.add(block(2, depth)));
        long until = Duration.ofSeconds(2).toNanos();
        var leaving = OfferQueue.handOver(all, 0, until);
        var call = next(leaving, 0);
        assertThat(call.timeout()).isEqualTo(Duration.ofSeconds(2));
        leaving.ended(call, OfferQueue.BATCH);
        assertThat(leaving.next(until, OfferQueueTest::store)).as("time is up").isNull();
        assertThat(leaving.waitNanos(until)).isEqualTo(Long.MAX_VALUE);
        assertThat(leaving.waiting()).isEqualTo(OfferQueue.BATCH);
        assertThat(leaving.held()).isEqualTo(OfferQueue.BATCH);
    }

    @Test
    void aKvstoreThatClaimsMoreThanItWasOfferedIsNotBelieved() {
        queue.add(block(2, 0), 0);
        queue.ended(next(queue, LINGER), 1000);
        assertThat(queue.held()).isEqualTo(1);
        assertThat(queue.waiting()).isZero();
    }
}
