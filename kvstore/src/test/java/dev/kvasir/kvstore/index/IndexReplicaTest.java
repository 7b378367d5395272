package dev.kvasir.kvstore.index;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.kvstore.index.BlockEvent.Cleared;
import dev.kvasir.kvstore.index.BlockEvent.Evicted;
import dev.kvasir.kvstore.index.BlockEvent.Stored;
import dev.kvasir.kvstore.index.IndexReplica.Limits;
import dev.kvasir.kvstore.index.IndexReplica.State;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class IndexReplicaTest {
    private static final Holder HOLDER = new Holder("a:1", 1);
    private static final long ASK_AGAIN = 1000;

    private final HashChain chain = Chains.of(1, 2, 3, 4, 5, 6, 7, 8);
    private final IndexReplica replica = new IndexReplica(new Limits(100, 100, 6, ASK_AGAIN));

    @Test
    void aHolderIsRebuiltByItsSnapshotAndFollowedByEvents() {
        join();
        assertThat(replica.state(HOLDER)).isEqualTo(State.EXACT);
        assertThat(known()).isEqualTo(2);

        replica.apply(batch(11, stored(2), stored(3)));
        assertThat(known()).isEqualTo(4);
        replica.apply(batch(13, new Evicted(chain.get(3), Tier.DEVICE)));
        assertThat(known()).isEqualTo(3);
    }

    @Test
    void nothingCountsUntilTheWholeSnapshotIsThere() {
        replica.join(HOLDER);
        replica.apply(batch(1, stored(0)));
        assertThat(replica.state(HOLDER)).isEqualTo(State.REBUILDING);
        assertThat(known()).isZero();
        assertThat(replica.snapshotsDue(0)).containsExactly(HOLDER);
        assertThat(replica.snapshotsDue(1)).isEmpty();

        replica.apply(new SnapshotPart(HOLDER, 5, 0, 2, List.of(stored(0))), 2);
        assertThat(replica.state(HOLDER)).isEqualTo(State.REBUILDING);
        replica.apply(new SnapshotPart(HOLDER, 5, 1, 2, List.of(stored(1))), 2);
        assertThat(replica.state(HOLDER)).isEqualTo(State.EXACT);
        assertThat(known()).isEqualTo(2);
    }

    @Test
    void whatWasSeenBeforeIsNotAppliedAgain() {
        join();
        replica.apply(batch(11, stored(2), new Evicted(chain.get(2), Tier.DEVICE)));
        replica.apply(batch(10, new Cleared(), stored(2), new Evicted(chain.get(2), Tier.DEVICE), stored(2)));
        assertThat(known()).isEqualTo(3);
        assertThat(replica.state(HOLDER)).isEqualTo(State.EXACT);
    }

    @Test
    void aGapForgetsTheHolderAndAsksForASnapshot() {
        join();
        replica.apply(batch(12, stored(2)));
        assertThat(replica.state(HOLDER)).isEqualTo(State.REBUILDING);
        assertThat(known()).isZero();
        assertThat(replica.snapshotsDue(0)).containsExactly(HOLDER);
    }

    @Test
    void anEmptyBatchShowsThatTheLastEventWasLost() {
        join();
        replica.apply(batch(11));
        assertThat(replica.state(HOLDER)).isEqualTo(State.EXACT);
        replica.apply(batch(12));
        assertThat(replica.state(HOLDER)).isEqualTo(State.REBUILDING);
    }

    @Test
    void aLostPartBeginsTheSnapshotAnew() {
        replica.join(HOLDER);
        assertThat(replica.snapshotsDue(0)).hasSize(1);
        replica.apply(new SnapshotPart(HOLDER, 5, 0, 3, List.of(stored(0))), 1);
        replica.apply(new SnapshotPart(HOLDER, 5, 2, 3, List.of(stored(2))), 2);
        assertThat(replica.snapshotsDue(2)).containsExactly(HOLDER);
        replica.apply(new SnapshotPart(HOLDER, 5, 1, 3, List.of(stored(1))), 3);
        assertThat(replica.state(HOLDER)).isEqualTo(State.REBUILDING);
        replica.snapshotsDue(3);

        replica.apply(new SnapshotPart(HOLDER, 6, 0, 1, List.of(stored(0))), 4);
        assertThat(replica.state(HOLDER)).isEqualTo(State.EXACT);
        assertThat(known()).isEqualTo(1);
    }

    @Test
    void anUnansweredWishIsRepeated() {
        replica.join(HOLDER);
        assertThat(replica.snapshotsDue(0)).hasSize(1);
        assertThat(replica.snapshotsDue(ASK_AGAIN - 1)).isEmpty();
        assertThat(replica.snapshotsDue(ASK_AGAIN)).containsExactly(HOLDER);
    }

    @Test
    void aHolderOverItsBoundIsDegradedUntilThereIsRoomAgain() {
        join();
        replica.apply(batch(11, IntStream.range(2, 8).mapToObj(this::stored).toArray(BlockEvent[]::new)));
        assertThat(replica.state(HOLDER)).isEqualTo(State.DEGRADED);
        assertThat(known()).as("what it names is true").isEqualTo(6);
        assertThat(replica.snapshotsDue(0)).isEmpty();

        replica.apply(batch(17, evicted(7), evicted(6), evicted(5)));
        assertThat(replica.snapshotsDue(0)).isEmpty();
        replica.apply(batch(20, evicted(4)));
        assertThat(replica.snapshotsDue(0)).containsExactly(HOLDER);
        assertThat(replica.state(HOLDER)).isEqualTo(State.REBUILDING);
    }

    @Test
    void anEmptiedHolderIsExact() {
        join();
        replica.apply(batch(11, IntStream.range(2, 8).mapToObj(this::stored).toArray(BlockEvent[]::new)));
        replica.apply(batch(17, new Cleared(), stored(0)));
        assertThat(replica.state(HOLDER)).isEqualTo(State.EXACT);
        assertThat(known()).isEqualTo(1);
    }

    @Test
    void anotherIncarnationAtTheAddressReplacesTheFirst() {
        join();
        var reborn = new Holder("a:1", 2);
        replica.join(reborn);
        assertThat(replica.state(HOLDER)).isNull();
        assertThat(replica.state(reborn)).isEqualTo(State.REBUILDING);
        assertThat(replica.index().size()).isZero();

        replica.apply(batch(11, stored(2)));
        assertThat(replica.index().size()).as("a zombie's events").isZero();
    }

    private void join() {
        replica.join(HOLDER);
        replica.apply(new SnapshotPart(HOLDER, 10, 0, 1, List.of(stored(0), stored(1))), 0);
    }

    private int known() {
        return Chains.match(replica.index(), chain).blocks(replica.index().slot(HOLDER));
    }

    private Stored stored(int i) {
        return new Stored(chain.get(i), i == 0 ? null : chain.get(i - 1), Tier.DEVICE);
    }

    private Evicted evicted(int i) {
        return new Evicted(chain.get(i), Tier.DEVICE);
    }

    private static EventBatch batch(long firstSequence, BlockEvent... events) {
        return new EventBatch(HOLDER, firstSequence, List.of(events));
    }
}
