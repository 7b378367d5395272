package dev.kvasir.chaos.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.kvstore.shard.IndexShard;
import dev.kvasir.kvstore.tier.DiskTier;
import dev.kvasir.kvstore.tier.StoredBlock;
import dev.kvasir.kvstore.transfer.TransferClient;
import dev.kvasir.protocol.Delivery;
import dev.kvasir.protocol.GenerationRequest;
import dev.kvasir.protocol.PrefixCacheProtocol.Change;
import dev.kvasir.protocol.PrefixCacheProtocol.Command;
import dev.kvasir.protocol.PrefixCacheProtocol.Holder;
import dev.kvasir.protocol.PrefixCacheProtocol.IndexChanges;
import dev.kvasir.protocol.PrefixCacheProtocol.Publish;
import dev.kvasir.protocol.PrefixCacheProtocol.Renew;
import dev.kvasir.protocol.PrefixCacheProtocol.Update;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.router.OutputEvent;
import dev.kvasir.router.Session;
import dev.kvasir.router.Session.Action;
import dev.kvasir.worker.OfferQueue;
import dev.kvasir.worker.StreamSettings;
import dev.kvasir.worker.engine.Puller;
import dev.kvasir.worker.runner.Step;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.BiFunction;
import org.junit.jupiter.api.Test;

/** Bugs put in on purpose, here and nowhere else: a simulation that does not find these would not find others. */
class PlantedBugsSimulation {
    private static final int SEEDS = 400;

    private interface RouterOf {
        Life.Program of(World world, Life life, long seed);
    }

    /** Runs seeds until one breaks a promise, with faulty programs in all members. */
    private static Simulation.Failure found(World.Programs programs) {
        try (var simulation = new Simulation(ClusterSimulation.tokenizerFolder(), programs)) {
            for (long seed = 0; seed < SEEDS; seed++) {
                var failure = simulation.run(seed);
                if (failure.isPresent()) {
                    System.out.printf(
                            "Found after %d seeds: %s%n",
                            seed + 1, failure.get().promise());
                    assertThat(simulation.run(seed).map(Simulation.Failure::log))
                            .as("the same run again")
                            .hasValue(failure.get().log());
                    return failure.get();
                }
            }
        }
        throw new AssertionError("not found within " + SEEDS + " seeds");
    }

    private static World.Programs workers(BiFunction<World, Life, Life.Program> worker) {
        return new World.Programs() {
            @Override
            Life.Program worker(World world, Life life) {
                return worker.apply(world, life);
            }
        };
    }

    private static World.Programs routers(RouterOf router) {
        return new World.Programs() {
            @Override
            Life.Program router(World world, Life life, long seed) {
                return router.of(world, life, seed);
            }
        };
    }

    private static World.Programs kvstores(RouterOf kvstore) {
        return new World.Programs() {
            @Override
            Life.Program kvstore(World world, Life life, long seed) {
                return kvstore.of(world, life, seed);
            }
        };
    }

    /** As if members had names, but no lives. */
    @Test
    void anIndexThatStillCreditsARestartedWorkersBlocksIsFound() {
        var failure =
                found(kvstores((world, life, seed) -> new KvStoreShell(world, life, Randoms.of(seed, life.toString())) {
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
        var failure =
                found(kvstores((world, life, seed) -> new KvStoreShell(world, life, Randoms.of(seed, life.toString())) {
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
        var failure =
                found(kvstores((world, life, seed) -> new KvStoreShell(world, life, Randoms.of(seed, life.toString())) {
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
        var failure =
                found(kvstores((world, life, seed) -> new KvStoreShell(world, life, Randoms.of(seed, life.toString())) {
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
        var failure =
                found(kvstores((world, life, seed) -> new KvStoreShell(world, life, Randoms.of(seed, life.toString())) {
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

    /** Blocks that come while a call is being made wait for the next look, which nobody takes. */
    @Test
    void offersThatStopAfterACallThatFailedAreFound() {
        var failure = found(workers((world, life) -> new WorkerShell(world, life) {
            @Override
            Offers offers(Holder own, TransferClient client) {
                return new Offers(world, life, own, client) {
                    @Override
                    void told(OfferQueue of, OfferQueue.Call call, Optional<Integer> held) {
                        held.ifPresent(count -> of.ended(call, count));
                    }
                };
            }
        }));
        assertThat(failure.promise()).contains("P7");
    }

    /** What is on disk after a restart is there, but nobody hears of it. */
    @Test
    void aDiskWhoseBlocksNobodyHearsOfAfterARestartIsFound() {
        var failure =
                found(kvstores((world, life, seed) -> new KvStoreShell(world, life, Randoms.of(seed, life.toString())) {
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
        var failure = found(routers((world, life, seed) -> new RouterShell(world, life, Randoms.of(seed, "router")) {
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

    /** A slot of host memory goes to another block while whoever wrote into it is not done. */
    @Test
    void aWriterThatTheTransferDidNotWaitForIsFound() {
        var failure = found(workers((world, life) -> new WorkerShell(world, life) {
            @Override
            Puller puller() {
                var usual = super.puller();
                return (need, sources) -> {
                    var pull = usual.begin(need, sources);
                    var slot =
                            pull == null ? null : Objects.requireNonNull(tier()).reserve();
                    if (slot != null) {
                        var bytes = slot.bytes();
                        slot.abandon();
                        life.after(30 * Timeline.MILLI, () -> bytes.fill((byte) 7));
                    }
                    return pull;
                };
            }
        }));
        assertThat(failure.promise()).contains("P3");
    }

    @Test
    void aPulledBlockThatIsAttachedTwiceIsFound() {
        var failure = found(workers((world, life) -> new WorkerShell(world, life) {
            @Override
            KvMemory memory(Geometry geometry) {
                return new KvMemory(geometry.blocks(), geometry.blockSize(), this::root) {
                    private int last = -1;

                    @Override
                    public void writeBlock(int block, MemorySegment from) {
                        super.writeBlock(block, from);
                        if (last >= 0) {
                            super.writeBlock(last, from);
                        }
                        last = block;
                    }
                };
            }
        }));
        assertThat(failure.promise()).containsAnyOf("P1", "P3");
    }

    /** Whatever comes is taken for what was asked for. */
    @Test
    void blocksThatAreAttachedUnverifiedAreFound() {
        var failure = found(workers((world, life) -> new WorkerShell(world, life) {
            @Override
            KvMemory memory(Geometry geometry) {
                return new KvMemory(geometry.blocks(), geometry.blockSize(), this::root) {
                    private int attached;

                    @Override
                    public void writeBlock(int block, MemorySegment from) {
                        super.writeBlock(block, from);
                        if (++attached % 5 == 0) {
                            block(block)[0] ^= 1;
                        }
                    }
                };
            }
        }));
        assertThat(failure.promise()).containsAnyOf("P1", "P3");
    }

    @Test
    void aDrainThatDoesNotWaitForThoseWhoMayResumeIsFound() {
        var failure = found(workers((world, life) -> new WorkerShell(world, life) {
            @Override
            boolean mayLeave() {
                return streams().inEngine() == 0;
            }
        }));
        assertThat(failure.promise()).contains("P1");
    }

    @Test
    void aSubscriptionThatEndsWithItsPredecessorIsFound() {
        var failure = found(routers((world, life, seed) -> new RouterShell(world, life, Randoms.of(seed, "router")) {
            private final Set<Life> subscribed = new HashSet<>();

            @Override
            void send(Life to, Object message) {
                if (!(message instanceof WorkerProtocol.Subscribe) || subscribed.add(to)) {
                    super.send(to, message);
                }
            }
        }));
        assertThat(failure.promise()).contains("P7");
    }

    @Test
    void aLostReplyThatNobodyAsksForAgainIsFound() {
        var failure = found(routers((world, life, seed) -> new RouterShell(world, life, Randoms.of(seed, "router")) {
            @Override
            void send(Life to, Object message) {
                if (!(message instanceof WorkerProtocol.Again)) {
                    super.send(to, message);
                }
            }
        }));
        assertThat(failure.promise()).contains("P1");
    }

    @Test
    void theWordOfAnOlderAttemptThatIsHeededIsFound() {
        var failure = found(routers((world, life, seed) -> new RouterShell(world, life, Randoms.of(seed, "router")) {
            @Override
            List<Action> received(Session session, Delivery word) {
                long attempt = session.attempt();
                return super.received(
                        session,
                        switch (word) {
                            case Delivery.Event(long old, var event) -> new Delivery.Event(attempt, event);
                            case Delivery.Unknown(var id, long old) -> new Delivery.Unknown(id, attempt);
                            case Delivery.Superseded(var id, long old) -> new Delivery.Superseded(id, attempt);
                        });
            }
        }));
        assertThat(failure.promise()).contains("P1");
    }

    @Test
    void tokensThatAreEmittedAgainAfterAMoveAreFound() {
        var failure = found(routers((world, life, seed) -> new RouterShell(world, life, Randoms.of(seed, "router")) {
            private final Set<RequestId> moved = new HashSet<>();

            @Override
            void send(Life to, Object message) {
                if (message instanceof WorkerProtocol.Generate generate
                        && !generate.continuation().begins()) {
                    moved.add(generate.request().id());
                }
                super.send(to, message);
            }

            @Override
            void say(Life client, RequestId id, OutputEvent event) {
                super.say(client, id, event);
                if (event instanceof OutputEvent.Delta && moved.remove(id)) {
                    super.say(client, id, event);
                }
            }
        }));
        assertThat(failure.promise()).contains("P2");
    }

    @Test
    void aTenantsSaltThatIsForgottenIsFound() {
        var failure = found(routers((world, life, seed) -> new RouterShell(world, life, Randoms.of(seed, "router")) {
            @Override
            void send(Life to, Object message) {
                super.send(to, message instanceof WorkerProtocol.Generate generate ? unsalted(generate) : message);
            }
        }));
        assertThat(failure.promise()).containsAnyOf("P1", "P3");
    }

    private static WorkerProtocol.Generate unsalted(WorkerProtocol.Generate generate) {
        var request = generate.request();
        return new WorkerProtocol.Generate(
                new GenerationRequest(
                        request.id(), request.model(), request.prompt(), request.sampling(), "", request.priority()),
                generate.continuation(),
                generate.origin(),
                generate.router(),
                generate.deadlineMillis(),
                generate.replyTo());
    }

    @Test
    void aBlockThatTwoSequencesWriteIsFound() {
        var failure = found(workers((world, life) -> new WorkerShell(world, life) {
            @Override
            KvMemory memory(Geometry geometry) {
                return new KvMemory(geometry.blocks(), geometry.blockSize(), this::root) {
                    @Override
                    public void copyBlock(int from, int to) {}
                };
            }
        }));
        assertThat(failure.promise()).containsAnyOf("P1", "P3");
    }

    @Test
    void aWriteThatComesTooLateIsFound() {
        var failure = found(workers((world, life) -> new WorkerShell(world, life) {
            @Override
            KvMemory memory(Geometry geometry) {
                return new KvMemory(geometry.blocks(), geometry.blockSize(), this::root) {
                    private int lateBlock = -1;
                    private long[] lateContent = {};

                    @Override
                    public void run(Step step) {
                        super.run(step);
                        if (lateBlock >= 0) {
                            System.arraycopy(lateContent, 0, block(lateBlock), 0, lateContent.length);
                        }
                        var work = step.get(0);
                        lateBlock = work.blockTable()[(work.to() - 1) / blockSize()];
                        lateContent = block(lateBlock).clone();
                    }
                };
            }
        }));
        assertThat(failure.promise()).containsAnyOf("P1", "P3");
    }

    @Test
    void aLeaseThatNeverEndsIsFound() {
        var failure = found(workers((world, life) -> new WorkerShell(world, life) {
            @Override
            StreamSettings streamSettings() {
                var usual = super.streamSettings();
                return new StreamSettings(
                        Duration.ofHours(1),
                        usual.stepTimeout(),
                        usual.retention(),
                        usual.resumeWait(),
                        usual.retainedMax(),
                        usual.retainedBytesMax());
            }
        }));
        assertThat(failure.promise()).contains("P7");
    }
}
