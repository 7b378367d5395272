package dev.kvasir.kvstore.shard;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.index.IndexReplica;
import dev.kvasir.protocol.HashList;
import dev.kvasir.protocol.PrefixCacheProtocol.Change;
import dev.kvasir.protocol.PrefixCacheProtocol.Holder;
import dev.kvasir.protocol.PrefixCacheProtocol.HolderReply;
import dev.kvasir.protocol.PrefixCacheProtocol.Tier;
import dev.kvasir.protocol.PrefixCacheProtocol.Update;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A shard and one follower that can be cut off from it. */
class IndexShardTest {
    private static final long SECOND = 1_000_000_000;
    private static final Holder HOLDER = new Holder("member", 7, 1, "");

    private final ShardReplica replica = new ShardReplica(new IndexReplica.Limits(1 << 10, 1 << 11, 1 << 10, SECOND));
    private final List<Update> updates = new ArrayList<>();
    private boolean cutOff;
    private final IndexShard<String, String> shard = new IndexShard<>(
            "pool-0",
            1,
            new IndexShard.Limits(1 << 10, 4, 4, 5 * SECOND, SECOND, 60 * SECOND),
            new IndexShard.Outbox<>() {
                @Override
                public void toHolder(String to, HolderReply reply) {}

                @Override
                public void toFollower(String to, Update update) {
                    if (!cutOff) {
                        updates.add(update);
                    }
                }
            });

    private void follow(long now) {
        shard.follow(replica.life(), replica.positions(now), "router", now);
        while (!updates.isEmpty()) {
            if (replica.apply(updates.removeFirst(), now)) {
                shard.follow(replica.life(), replica.positions(now), "router", now);
            }
        }
    }

    private static BlockHash hash(int chain, int depth) {
        return new BlockHash(chain, depth);
    }

    private static Change stored(int chain, int from, int to) {
        var hashes = new HashList.Builder();
        for (int depth = from; depth < to; depth++) {
            hashes.add(chain, depth);
        }
        return new Change(true, Tier.HOST, chain, 0, chain, Math.max(0, from - 1), hashes.build());
    }

    private int blocksOf(Holder holder) {
        var index = replica.replica().index();
        return index.blocks(index.slot(ShardReplica.key(holder)));
    }

    @Test
    void aFollowerThatDidNotHearOfAHoldersGoingIsToldItsBlocksOnceItIsBack() {
        follow(0);
        shard.publish(HOLDER, 1, List.of(stored(1, 0, 3)), "holder", 0);
        follow(SECOND);
        follow(2 * SECOND);
        assertThat(blocksOf(HOLDER)).isEqualTo(3);

        cutOff = true;
        shard.tick(6 * SECOND);
        assertThat(shard.size()).isZero();
        shard.contents(HOLDER, 4, 0, 1, List.of(stored(2, 0, 1)), "holder", 7 * SECOND);
        shard.publish(HOLDER, 5, List.of(stored(2, 1, 2)), "holder", 7 * SECOND);
        cutOff = false;
        for (int second = 8; second < 11; second++) {
            follow(second * SECOND);
        }
        assertThat(shard.has(HOLDER, hash(2, 0), hash(2, 1))).isTrue();
        assertThat(replica.state(HOLDER)).isEqualTo(IndexReplica.State.EXACT);
        assertThat(blocksOf(HOLDER))
                .as("those of its second time, and no others")
                .isEqualTo(2);

        shard.publish(HOLDER, 6, List.of(stored(2, 2, 4)), "holder", 11 * SECOND);
        follow(11 * SECOND);
        assertThat(blocksOf(HOLDER)).isEqualTo(4);
    }

    @Test
    void onlyThoseWhoAskedLatelyFollow() {
        shard.follow(0, List.of(), "router", 0);
        assertThat(shard.isFollowedBy("router")).isTrue();
        for (int other = 0; other < 10; other++) {
            shard.follow(0, List.of(), "other-" + other, 0);
        }
        assertThat(shard.isFollowedBy("other-9")).as("more than may follow").isFalse();
        shard.tick(61 * SECOND);
        assertThat(shard.isFollowedBy("router")).isFalse();
    }
}
