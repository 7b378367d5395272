package dev.kvasir.chaos.simulation;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.shard.BlockFeed;
import dev.kvasir.kvstore.tier.MemoryTier;
import dev.kvasir.kvstore.transfer.TransferClient;
import dev.kvasir.protocol.Delivery;
import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.FinishReason;
import dev.kvasir.protocol.Leases;
import dev.kvasir.protocol.PrefixCacheProtocol.Holder;
import dev.kvasir.protocol.PrefixCacheProtocol.Tier;
import dev.kvasir.protocol.StreamEvent;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.v1.transfer.OfferRequest;
import dev.kvasir.worker.OfferQueue;
import dev.kvasir.worker.Pulls;
import dev.kvasir.worker.SharingConfig;
import dev.kvasir.worker.StreamSettings;
import dev.kvasir.worker.Streams;
import dev.kvasir.worker.engine.ActiveRequest;
import dev.kvasir.worker.engine.CopyShare;
import dev.kvasir.worker.engine.EngineCore;
import dev.kvasir.worker.engine.EngineLoad;
import dev.kvasir.worker.engine.EngineObserver;
import dev.kvasir.worker.engine.EngineSettings;
import dev.kvasir.worker.engine.Keeping;
import dev.kvasir.worker.engine.Puller;
import dev.kvasir.worker.engine.SharedBlocks;
import dev.kvasir.worker.runner.SequenceWork;
import dev.kvasir.worker.schedule.SchedulerLimits;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/**
 * A worker: {@link Streams} and {@link EngineCore} with virtual time in place of actor, thread and clock. A step is computed
 * when its time has passed, with those requests that were there when it began.
 */
class WorkerShell implements Life.Program, TransferHost {
    private static final long REPORT_NANOS = 100 * Timeline.MILLI;
    private static final long REPEAT_NANOS = Timeline.SECOND;
    private static final long PULL_POLL_NANOS = 20 * Timeline.MILLI;
    private static final long RESTORED_BLOCKS_PER_STEP = 3;
    private static final int LONG_BLOCKS = 3;
    private static final SharingConfig SHARING = SharingConfig.defaults();

    private final World world;
    private final Life self;
    private final EngineSettings settings;
    private final KvMemory memory;
    private final EngineCore core;
    private final SharedBlocks blocks;
    private final @Nullable MemoryTier tier;
    private final @Nullable Pulls pulls;
    private final HolderShell publisher;
    private final Offers offers;
    private final Deque<Runnable> tasks = new ArrayDeque<>();
    private boolean polling;
    private final Streams streams;
    private final Deque<ActiveRequest> submitted = new ArrayDeque<>();
    private final Set<ActorRef<WorkerProtocol.LoadReport>> subscribers = new LinkedHashSet<>();
    private boolean stepping;
    private long stepBeganNanos;
    private int steppedTokens;
    private boolean draining;
    private boolean leaving;
    private boolean movesOn;
    private long epoch;
    private EngineLoad reported;
    private long reportedAtNanos;

    WorkerShell(World world, Life self) {
        this.world = world;
        this.self = self;
        var geometry = world.geometry();
        settings = new EngineSettings(
                StandInModel.NAME,
                self.incarnation(),
                StandInModel.KV_ORIGIN,
                StandInModel.KV_DTYPE,
                geometry.lengthMax(),
                new SchedulerLimits(geometry.tokensMax(), geometry.sequencesMax(), 8, geometry.blockSize()),
                geometry.waitingMax(),
                new int[] {StandInModel.END},
                geometry.prefixCaching(),
                10 * Timeline.SECOND);
        memory = memory(geometry);
        publisher = new HolderShell(world, self, holder(), new Blocks());
        var client = world.wires().client(self);
        offers = offers(publisher.holder(), client);
        tier = geometry.hostBlocks() == 0 ? null : geometry.tier(geometry.hostBlocks());
        if (tier == null) {
            pulls = null;
            blocks = new SharedBlocks(publisher::wake);
        } else {
            pulls = new Pulls(client, geometry.format(), tier, SHARING, task -> self.after(0, task));
            blocks = new SharedBlocks(
                    publisher::wake,
                    tier,
                    new Keeping(LONG_BLOCKS),
                    CopyShare.ofUnproven(false, self::nanos),
                    CopyShare.ofReused(self::nanos),
                    RESTORED_BLOCKS_PER_STEP * memory.blockBytes(),
                    geometry.offersAll() ? offers.ofAll() : offers.ofCopies());
            pulls.start(() -> execute(() -> {}));
        }
        core = new EngineCore(settings, memory, new Observer(), blocks, puller());
        streams = new Streams(
                self.incarnation(),
                this::submit,
                streamSettings(),
                self.nanos(),
                id -> self.after(0, () -> streams().ended(id, self.nanos())));
        reported = core.load();
        reportedAtNanos = self.nanos();
    }

    /** Who holds these blocks, for the prefix index. */
    Holder holder() {
        boolean gives = world.geometry().hostBlocks() > 0;
        return new Holder(self.name(), self.incarnation(), self.wallMillis(), gives ? self.name() : "");
    }

    @Nullable
    Pulls pulls() {
        return pulls;
    }

    Puller puller() {
        return pulls == null ? Puller.NONE : pulls;
    }

    @Override
    public @Nullable MemoryTier tier() {
        return tier;
    }

    /** Only kvstores take offers. */
    @Override
    public void offered(OfferRequest offer, OfferAnswer answer) {
        answer.held(0);
    }

    Offers offers(Holder own, TransferClient client) {
        return new Offers(world, self, own, client);
    }

    OfferQueue offers() {
        return offers.queue();
    }

    /** By the engine, between two steps. */
    @Override
    public void bring(List<BlockHash> hashes, Runnable then) {
        execute(() -> {
            core.shared().export(hashes);
            self.after(0, then);
        });
    }

    private void execute(Runnable task) {
        tasks.add(task);
        self.after(0, this::beginStep);
    }

    @Override
    public void end() {
        if (tier != null) {
            tier.close();
        }
    }

    KvMemory memory(Geometry geometry) {
        return new KvMemory(geometry.blocks(), geometry.blockSize(), this::root);
    }

    StreamSettings streamSettings() {
        return World.STREAM_SETTINGS;
    }

    @SuppressWarnings("ReferenceEquality") // A step's work holds the very array of its sequence's table.
    long root(SequenceWork work) {
        for (var sequence : core.sequences()) {
            if (sequence.table().array() == work.blockTable()) {
                return Oracle.digest(sequence.chain().parent(0));
            }
        }
        throw new IllegalStateException("a step computes a sequence that is not alive");
    }

    Geometry geometry() {
        return world.geometry();
    }

    EngineCore core() {
        return core;
    }

    KvMemory memory() {
        return memory;
    }

    Streams streams() {
        return streams;
    }

    @Override
    public void start() {
        publisher.start();
        self.every(REPORT_NANOS, this::reportIfDue);
        self.every(streamSettings().lease().toNanos() / Leases.LOOKS_PER_LEASE, () -> streams.look(self.nanos()));
    }

    @Override
    public void receive(Life from, Object message) {
        long now = self.nanos();
        switch ((WorkerProtocol.Command) message) {
            case WorkerProtocol.Generate generate -> generate(generate, now);
            case WorkerProtocol.Cancel cancel -> streams.cancel(cancel);
            case WorkerProtocol.Again again -> streams.again(again, now);
            case WorkerProtocol.Find(var id, var replyTo) -> replyTo.tell(streams.find(id));
            case WorkerProtocol.Claim claim -> {
                streams.claim(claim, now);
                if (movesOn) {
                    streams.handBack("the worker is draining");
                }
            }
            case WorkerProtocol.Renew renew -> renew(renew, now);
            case WorkerProtocol.Describe(var replyTo) -> replyTo.tell(description());
            case WorkerProtocol.Subscribe(var replyTo) -> {
                subscribers.add(replyTo);
                replyTo.tell(report(core.load()));
            }
            case WorkerProtocol.Drain(long moveAfterMillis) -> drain(moveAfterMillis);
        }
    }

    @Override
    public void terminated(String address) {
        subscribers.removeIf(subscriber -> Ref.owner(subscriber).name().equals(address));
    }

    void generate(WorkerProtocol.Generate generate, long now) {
        if (draining) {
            refuse(generate, FailureKind.UNAVAILABLE, "the worker is draining");
        } else {
            streams.open(generate, now);
        }
    }

    private static void refuse(WorkerProtocol.Generate generate, FailureKind kind, String why) {
        var failed = new StreamEvent.Failed(generate.request().id(), kind, why, 0);
        generate.replyTo().tell(new Delivery.Event(generate.continuation().attempt(), failed));
    }

    private void renew(WorkerProtocol.Renew renew, long now) {
        streams.renewed(renew.router(), now);
        renew.replyTo()
                .tell(new WorkerProtocol.Alive(
                        self.incarnation(),
                        renew.sequence(),
                        stepping ? (now - stepBeganNanos) / Timeline.MILLI : 0,
                        false,
                        renew.audit(),
                        renew.audit() ? streams.runningFor(renew.router()) : List.of()));
    }

    /** No new requests; those at hand finish or are handed back; then the process ends. */
    private void drain(long moveAfterMillis) {
        if (draining) {
            return;
        }
        draining = true;
        world.membership().deregister(self);
        var report = report(core.load());
        subscribers.forEach(router -> router.tell(report));
        self.after(moveAfterMillis * Timeline.MILLI, () -> {
            movesOn = true;
            streams.handBack("the worker is draining");
        });
        self.every(50 * Timeline.MILLI, () -> {
            if (mayLeave() && !leaving) {
                leaving = true;
                handOver();
            }
        });
    }

    /** KV that is worth keeping is given to kvstores; a request that was claimed meanwhile goes on. */
    private void handOver() {
        core.shared().drain();
        var all = new LinkedHashSet<OfferQueue.Block>();
        core.shared().forEachBlock((place, hash) -> all.add(new OfferQueue.Block(place, hash)));
        offers.handOver(tier == null ? Set.of() : all, () -> {
            leaving = streams.inEngine() == 0;
            if (leaving) {
                publisher.leave();
                world.cluster().leave(self);
            }
        });
    }

    boolean mayLeave() {
        return streams.inEngine() == 0 && streams.awaited(self.nanos()) == 0;
    }

    private void submit(ActiveRequest active) {
        submitted.add(active);
        if (!stepping) {
            self.after(0, this::beginStep);
        }
    }

    private void beginStep() {
        if (stepping) {
            return;
        }
        boolean some = !submitted.isEmpty() || !tasks.isEmpty();
        while (!submitted.isEmpty()) {
            core.submit(submitted.remove(), self.nanos());
        }
        while (!tasks.isEmpty()) {
            tasks.remove().run();
        }
        if (some) {
            core.flushShared();
        }
        if (core.isIdle()) {
            return;
        }
        if (core.waitsForPulls()) {
            pollPulls();
            return;
        }
        stepping = true;
        stepBeganNanos = self.nanos();
        var geometry = world.geometry();
        self.after(self.duration(geometry.stepNanos() + geometry.tokenNanos() * steppedTokens), this::endStep);
    }

    /** Nothing to compute until blocks of others come; but somebody may lose patience. */
    private void pollPulls() {
        if (!polling) {
            polling = true;
            self.after(PULL_POLL_NANOS, () -> {
                polling = false;
                if (!stepping && core.waitsForPulls()) {
                    core.step(self.nanos());
                    world.engineStepped(self, this);
                }
                beginStep();
            });
        }
    }

    private void endStep() {
        steppedTokens = 0;
        core.step(self.nanos());
        world.engineStepped(self, this);
        stepping = false;
        beginStep();
    }

    HolderShell publisher() {
        return publisher;
    }

    /** All blocks that it has, with the tiers that they are in; by the first block of their chain. */
    Map<BlockHash, Map<BlockHash, Integer>> heldByFirst() {
        var held = new HashMap<BlockHash, Map<BlockHash, Integer>>();
        var cache = core.cache();
        for (int block = 0; block < cache.pool().capacity(); block++) {
            var hash = cache.hash(block);
            var first = cache.first(block);
            if (hash != null && first != null) {
                held.computeIfAbsent(first, _ -> new HashMap<>())
                        .merge(hash, Tier.DEVICE.bit(), (one, other) -> one | other);
            }
        }
        if (tier != null) {
            tier.forEach(copy -> held.computeIfAbsent(copy.first(), _ -> new HashMap<>())
                    .merge(copy.hash(), Tier.HOST.bit(), (one, other) -> one | other));
        }
        return held;
    }

    /** Hands news of blocks to the publisher. */
    private final class Blocks implements HolderShell.Owner {
        @Override
        public BlockFeed.@Nullable Batch poll() {
            return blocks.poll();
        }

        @Override
        public void tellAnewIfLost() {
            if (blocks.hasMore()) {
                execute(core::flushShared);
            }
        }

        @Override
        public @Nullable Map<BlockHash, Integer> held() {
            if (stepping || blocks.hasMore()) {
                return null;
            }
            var held = new HashMap<BlockHash, Integer>();
            heldByFirst().values().forEach(held::putAll);
            return held;
        }
    }

    private void reportIfDue() {
        if (subscribers.isEmpty()) {
            return;
        }
        var load = core.load();
        if (!load.equals(reported) || self.nanos() - reportedAtNanos >= REPEAT_NANOS) {
            reported = load;
            reportedAtNanos = self.nanos();
            var report = report(load);
            subscribers.forEach(router -> router.tell(report));
        }
    }

    private WorkerProtocol.LoadReport report(EngineLoad load) {
        var pull = puller().price(load.promptTokensPerSecond());
        return new WorkerProtocol.LoadReport(
                self.incarnation(),
                ++epoch,
                load.running(),
                load.waiting(),
                load.tokensInFlight(),
                load.freeBlocks(),
                load.totalBlocks(),
                draining,
                pull.setupTokens(),
                pull.perToken());
    }

    private WorkerProtocol.Description description() {
        return new WorkerProtocol.Description(
                WorkerProtocol.VERSION,
                self.name(),
                self.incarnation(),
                StandInModel.NAME,
                "stand-in",
                StandInModel.FINGERPRINT,
                settings.limits().blockSize(),
                memory.blockCount(),
                settings.maxModelLength(),
                StandInModel.VOCABULARY,
                0,
                StandInModel.KV_DTYPE,
                "virtual",
                StandInModel.NUMERICS);
    }

    /** Requests that are handed over, and not yet seen by the engine. */
    int submitted() {
        return submitted.size();
    }

    @Override
    public String toString() {
        return self.toString();
    }

    /** Counts what a step computed, from which follows how long the next one takes. */
    private final class Observer implements EngineObserver {
        @Override
        public void started(long queueNanos, int promptTokens, int cachedTokens) {
            world.stats().cachedTokens += cachedTokens;
        }

        @Override
        public void resumed(int knownTokens, int cachedTokens) {}

        @Override
        public void loaded(EngineLoad now) {}

        @Override
        public void stepped(int tokens, int generatedTokens, int preemptions) {
            steppedTokens = tokens;
            world.stats().preemptions += preemptions;
        }

        @Override
        public void finished(FinishReason reason, int promptTokens, int generatedTokens) {}

        @Override
        public void failed(FailureKind kind) {}
    }
}
