package dev.kvasir.kvstore.shard;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.index.IndexReplica;
import dev.kvasir.protocol.PrefixCacheProtocol.Change;
import dev.kvasir.protocol.PrefixCacheProtocol.Fenced;
import dev.kvasir.protocol.PrefixCacheProtocol.Holder;
import dev.kvasir.protocol.PrefixCacheProtocol.HolderReply;
import dev.kvasir.protocol.PrefixCacheProtocol.SendContents;
import dev.kvasir.protocol.PrefixCacheProtocol.Tier;
import dev.kvasir.protocol.PrefixCacheProtocol.Update;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * Holders, one shard and a follower over a network that loses, doubles and reorders, with restarts of each. A failure names
 * its seed and {@code -Dseed=} runs it alone.
 */
class IndexShardProperties {
    private static final long SECOND = 1_000_000_000;
    private static final String SHARD = "pool-0";
    private static final List<Tier> TIERS = List.of(Tier.DEVICE, Tier.HOST, Tier.DISK);
    private static final IndexReplica.Limits ROOM = new IndexReplica.Limits(1 << 16, 1 << 17, 1 << 16, SECOND);

    private static IndexShard.Limits limits(int blocksMax) {
        return new IndexShard.Limits(blocksMax, 16, 4, 5 * SECOND, SECOND, 10 * SECOND);
    }

    /** A member that holds blocks: what it really has, and its journal. */
    private static final class Member {
        final String address;
        final Map<BlockHash, BlockNews> blocks = new LinkedHashMap<>();
        Holder holder;
        HolderJournal journal = new HolderJournal(List.of(SHARD));

        Member(String address, long incarnation, long born) {
            this.address = address;
            this.holder = new Holder(address, incarnation, born, "");
        }
    }

    /** Everything, in one thread and virtual time. */
    private static final class World implements IndexShard.Outbox<Member, World> {
        final Random random;
        final double faults;
        final int blocksMax;
        final List<Runnable> network = new ArrayList<>();
        final List<Member> members = new ArrayList<>();
        final ShardReplica replica = new ShardReplica(ROOM);
        IndexShard<Member, World> shard;
        long now;
        long lives = 1;
        boolean lossy = true;

        World(Random random, int blocksMax) {
            this.random = random;
            this.faults = random.nextDouble(0.3);
            this.blocksMax = blocksMax;
            this.shard = new IndexShard<>(SHARD, lives, limits(blocksMax), this);
            for (int i = 0; i < random.nextInt(1, 4); i++) {
                members.add(new Member("member-" + i, lives++, now));
            }
        }

        void send(Runnable message) {
            if (lossy && random.nextDouble() < faults / 2) {
                return;
            }
            network.add(message);
            if (lossy && random.nextDouble() < faults / 2) {
                network.add(message);
            }
        }

        void deliver() {
            while (!network.isEmpty()) {
                int next = lossy && random.nextDouble() < faults ? random.nextInt(network.size()) : 0;
                network.remove(next).run();
                if (lossy && random.nextInt(4) == 0) {
                    return;
                }
            }
        }

        HolderJournal.Outbox outbox(Member member) {
            var holder = member.holder;
            return new HolderJournal.Outbox() {
                @Override
                public void publish(String name, long first, List<Change> changes) {
                    send(() -> shard.publish(holder, first, changes, member, now));
                }

                @Override
                public void contents(String name, long sequence, int part, int parts, List<Change> blocks) {
                    send(() -> shard.contents(holder, sequence, part, parts, blocks, member, now));
                }

                @Override
                public void renew(String name, long sequence) {
                    send(() -> shard.renew(holder, sequence, member, now));
                }

                @Override
                public void leave(String name) {
                    send(() -> shard.leave(holder));
                }
            };
        }

        @Override
        public void toHolder(Member to, HolderReply reply) {
            send(() -> {
                switch (reply) {
                    case SendContents(var name, var incarnation) -> {
                        if (incarnation == to.holder.incarnation()) {
                            to.journal.asked(name, outbox(to));
                        }
                    }
                    case Fenced(var name, var incarnation) ->
                        assertThat(incarnation).as(name).isNotEqualTo(to.holder.incarnation());
                }
            });
        }

        @Override
        public void toFollower(World to, Update update) {
            send(() -> {
                if (replica.apply(update, now)) {
                    follow();
                }
            });
        }

        void follow() {
            if (network.size() < 1_000) {
                var positions = replica.positions(now);
                long life = replica.life();
                send(() -> shard.follow(life, positions, this, now));
            }
        }

        void step() {
            now += random.nextLong(SECOND / 2);
            var member = members.get(random.nextInt(members.size()));
            switch (random.nextInt(lossy ? 24 : 12)) {
                case 0, 1, 2, 3, 4, 5 -> change(member);
                case 6, 7 -> member.journal.renew(outbox(member));
                case 8, 9 -> follow();
                case 10, 11, 12 -> shard.tick(now);
                case 13 -> restart(member);
                case 14 -> {
                    if (random.nextInt(3) == 0) {
                        shard = new IndexShard<>(SHARD, 1_000 + lives++, limits(blocksMax), this);
                    }
                }
                case 15 -> overflow(member);
                default -> change(member);
            }
            deliver();
        }

        void change(Member member) {
            for (int i = random.nextInt(1, 8); i > 0; i--) {
                if (member.blocks.size() > 3 && random.nextInt(3) == 0) {
                    var hashes = List.copyOf(member.blocks.keySet());
                    var gone = Objects.requireNonNull(member.blocks.remove(hashes.get(random.nextInt(hashes.size()))));
                    member.journal.note(new BlockNews(false, gone.tier(), gone.first(), gone.parent(), gone.hash()));
                } else {
                    var news = block(random.nextInt(6), random.nextInt(30));
                    if (member.blocks.putIfAbsent(news.hash(), news) == null) {
                        member.journal.note(news);
                    }
                }
            }
            member.journal.flush(outbox(member));
        }

        void restart(Member member) {
            if (random.nextBoolean()) {
                member.journal.leave(outbox(member));
            }
            member.blocks.clear();
            member.journal = new HolderJournal(List.of(SHARD));
            member.holder = new Holder(member.address, lives++, now, "");
        }

        void overflow(Member member) {
            change(member);
            member.journal.begin(member.blocks.values(), outbox(member));
        }

        /** A quiet time without losses, long enough for leases, questions and answers. */
        void settle() {
            lossy = false;
            for (int round = 0; round < 12; round++) {
                deliver();
                now += SECOND;
                members.forEach(member -> member.journal.renew(outbox(member)));
                deliver();
                shard.tick(now);
                follow();
                deliver();
            }
        }
    }

    /** Block {@code depth} of a chain, the same in every holder. */
    private static BlockNews block(int chain, int depth) {
        @Nullable BlockHash parent = depth == 0 ? null : new BlockHash(chain, depth - 1L);
        return new BlockNews(
                true, TIERS.get(chain % TIERS.size()), new BlockHash(chain, 0), parent, new BlockHash(chain, depth));
    }

    @Test
    void whenTheNetworkIsQuietShardAndFollowerKnowExactlyWhatHoldersHave() {
        seeds(300).forEach(seed -> {
            var world = new World(new Random(seed), 1 << 20);
            for (int i = 0; i < 150; i++) {
                world.step();
            }
            world.settle();
            int sum = 0;
            for (var member : world.members) {
                assertThat(held(world.shard.blocks(member.holder)))
                        .as("seed %d, shard of %s", seed, member.holder)
                        .isEqualTo(member.blocks.keySet());
                var slot = world.replica.of(member.holder).index().slot(ShardReplica.key(member.holder));
                assertThat(world.replica.state(member.holder))
                        .as("seed %d, replica of %s", seed, member.holder)
                        .isEqualTo(IndexReplica.State.EXACT);
                assertThat(world.replica.of(member.holder).index().blocks(slot))
                        .as("seed %d, replica of %s", seed, member.holder)
                        .isEqualTo(member.blocks.size());
                sum += member.blocks.size();
            }
            assertThat(world.shard.size()).as("seed %d", seed).isEqualTo(sum);
            assertThat(new HashSet<>(world.replica.holders()))
                    .as("seed %d", seed)
                    .isEqualTo(liveHolders(world));
        });
    }

    private static Set<Holder> liveHolders(World world) {
        var live = new HashSet<Holder>();
        world.members.forEach(member -> live.add(member.holder));
        return live;
    }

    @Test
    void anOldLifesBlocksAreNeverCreditedOnceTheNewOneIsKnown() {
        seeds(200).forEach(seed -> {
            var world = new World(new Random(seed), 1 << 20);
            var newest = new HashMap<String, Holder>();
            for (int i = 0; i < 150; i++) {
                world.step();
                for (var position : world.shard.holders()) {
                    var holder = position.holder();
                    var before = newest.put(holder.address(), holder);
                    // A shard that was restarted, or whose lease ended, may hear of an old life again, but not beside
                    // the new.
                    assertThat(world.shard.holders().stream()
                                    .filter(p -> p.holder().address().equals(holder.address()))
                                    .count())
                            .as("seed %d, %s after %s", seed, holder, before)
                            .isEqualTo(1);
                }
            }
        });
    }

    @Test
    void memoryIsBoundedAndWhatIsStillNamedIsThere() {
        seeds(200).forEach(seed -> {
            int blocksMax = 40;
            var world = new World(new Random(seed), blocksMax);
            for (int i = 0; i < 200; i++) {
                world.step();
                assertThat(world.shard.size()).as("seed %d", seed).isLessThanOrEqualTo(blocksMax);
            }
            world.settle();
            for (var member : world.members) {
                assertThat(member.blocks.keySet())
                        .as("seed %d", seed)
                        .containsAll(held(world.shard.blocks(member.holder)));
            }
        });
    }

    @Test
    void aSilentHolderVanishesWithItsBlocks() {
        var world = new World(new Random(1), 1 << 20);
        world.lossy = false;
        world.members.forEach(world::change);
        world.settle();
        var silent = world.members.removeFirst();
        for (int i = 0; i < 12; i++) {
            world.now += SECOND;
            world.members.forEach(member -> member.journal.renew(world.outbox(member)));
            world.deliver();
            world.shard.tick(world.now);
            world.deliver();
        }
        assertThat(world.shard.blocks(silent.holder)).isEmpty();
        assertThat(world.replica.holders()).doesNotContain(silent.holder);
    }

    private static Set<BlockHash> held(List<Change> changes) {
        var held = new HashSet<BlockHash>();
        for (var change : changes) {
            for (int i = 0; i < change.hashes().size(); i++) {
                held.add(Hashes.get(change.hashes(), i));
            }
        }
        return held;
    }

    private static List<Long> seeds(int count) {
        Long only = Long.getLong("seed");
        return only != null ? List.of(only) : LongStream.range(0, count).boxed().toList();
    }
}
