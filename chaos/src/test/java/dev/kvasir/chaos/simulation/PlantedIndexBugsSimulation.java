package dev.kvasir.chaos.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.kvstore.shard.IndexShard;
import dev.kvasir.kvstore.tier.DiskTier;
import dev.kvasir.kvstore.tier.StoredBlock;
import dev.kvasir.protocol.PrefixCacheProtocol.Change;
import dev.kvasir.protocol.PrefixCacheProtocol.Command;
import dev.kvasir.protocol.PrefixCacheProtocol.Holder;
import dev.kvasir.protocol.PrefixCacheProtocol.IndexChanges;
import dev.kvasir.protocol.PrefixCacheProtocol.Publish;
import dev.kvasir.protocol.PrefixCacheProtocol.Renew;
import dev.kvasir.protocol.PrefixCacheProtocol.Update;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What the index, its copies and the disks of kvstores may get wrong. */
class PlantedIndexBugsSimulation extends PlantedBugs {
    /** As if members had names, but no lives. */
    @Test
    void anIndexThatStillCreditsARestartedWorkersBlocksIsFound() {
        var failure = found(kvstores((world, life, seed) -> new FaultyStore(world, life, seed) {
            private final Map<String, Holder> first = new HashMap<>();

            @Override
            void handle(Hosted hosted, Command command, long now) {
                super.handle(
                        hosted,
                        switch (command) {
                            case Publish(var holder, long sequence, var changes, var replyTo) ->
                                new Publish(first(holder), sequence, changes, replyTo);
                            case Renew(var holder, long sequence, var replyTo) ->
                                new Renew(first(holder), sequence, replyTo);
                            default -> command;
                        },
                        now);
            }

            private Holder first(Holder holder) {
                return first.computeIfAbsent(holder.address(), _ -> holder);
            }
        }));
        assertThat(failure.promise()).contains("P5");
    }

    @Test
    void contentsThatAreLostAndNotAskedForAgainAreFound() {
        var failure = found(kvstores((world, life, seed) -> new FaultyStore(world, life, seed) {
            @Override
            IndexShard.Limits limits() {
                var usual = super.limits();
                return new IndexShard.Limits(
                        usual.blocksMax(),
                        usual.holdersMax(),
                        usual.followersMax(),
                        usual.leaseNanos(),
                        Duration.ofDays(1).toNanos(),
                        usual.followNanos());
            }
        }));
        assertThat(failure.promise()).contains("P5");
    }

    @Test
    void aLeaseOfBlocksThatNeverEndsIsFound() {
        var failure = found(kvstores((world, life, seed) -> new FaultyStore(world, life, seed) {
            @Override
            IndexShard.Limits limits() {
                var usual = super.limits();
                return new IndexShard.Limits(
                        usual.blocksMax(),
                        usual.holdersMax(),
                        usual.followersMax(),
                        Duration.ofDays(1).toNanos(),
                        usual.askAgainNanos(),
                        usual.followNanos());
            }
        }));
        assertThat(failure.promise()).contains("P5");
    }

    /** As if nobody had to know that a block went from disk. */
    @Test
    void anIndexThatStillCreditsBlocksThatADiskHasNoRoomForIsFound() {
        var failure = found(kvstores((world, life, seed) -> new FaultyStore(world, life, seed) {
            @Override
            DiskTier.Listener heard(DiskTier.Listener listener) {
                return new DiskTier.Listener() {
                    @Override
                    public void stored(StoredBlock block) {
                        listener.stored(block);
                    }

                    @Override
                    public void evicted(StoredBlock block) {}
                };
            }
        }));
        assertThat(failure.promise()).contains("P5");
    }

    /** The tier comes back a little later and with it the blocks, so that at rest there is nothing to be seen. */
    @Test
    void aDiskThatIsSwitchedOffWithoutAWordToTheIndexIsFound() {
        var failure = found(kvstores((world, life, seed) -> new FaultyStore(world, life, seed) {
            @Override
            DiskTier.Listener heard(DiskTier.Listener listener) {
                return new DiskTier.Listener() {
                    private boolean off;

                    @Override
                    public void stored(StoredBlock block) {
                        listener.stored(block);
                    }

                    @Override
                    public void evicted(StoredBlock block) {
                        if (!off) {
                            listener.evicted(block);
                        }
                    }

                    @Override
                    public void opened(int blocks) {
                        off = false;
                    }

                    @Override
                    public void switchedOff(String why) {
                        off = true;
                    }
                };
            }
        }));
        assertThat(failure.promise()).contains("P5");
    }

    /** What is on disk after a restart is there, but nobody hears of it. */
    @Test
    void aDiskWhoseBlocksNobodyHearsOfAfterARestartIsFound() {
        var failure = found(kvstores((world, life, seed) -> new FaultyStore(world, life, seed) {
            @Override
            DiskTier.Listener heard(DiskTier.Listener listener) {
                return new DiskTier.Listener() {
                    private int takenUp;

                    @Override
                    public void stored(StoredBlock block) {
                        if (--takenUp < 0) {
                            listener.stored(block);
                        }
                    }

                    @Override
                    public void evicted(StoredBlock block) {
                        listener.evicted(block);
                    }

                    @Override
                    public void opened(int blocks) {
                        takenUp = blocks;
                    }
                };
            }
        }));
        assertThat(failure.promise()).contains("P5");
    }

    /** Numbers made to fit where a message was lost. */
    @Test
    void aCopyThatTakesItselfForExactAcrossAGapIsFound() {
        var failure = found(routers((world, life, seed) -> new FaultyRouter(world, life, seed) {
            private int changes;

            @Override
            void updated(Update update) {
                boolean lost = update instanceof IndexChanges && ++changes % 7 == 0;
                super.updated(lost ? emptied((IndexChanges) update) : update);
            }

            private static IndexChanges emptied(IndexChanges update) {
                var changes = update.changes().stream()
                        .map(change -> new Change(
                                false, change.tier(), change.firstHigh(), change.firstLow(), 0, 0, change.hashes()))
                        .toList();
                return new IndexChanges(update.shard(), update.life(), update.position(), changes);
            }
        }));
        assertThat(failure.promise()).contains("P5");
    }
}
