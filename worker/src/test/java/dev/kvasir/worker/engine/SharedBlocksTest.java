package dev.kvasir.worker.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.BlockHasher;
import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.kvstore.hash.HashRoot;
import dev.kvasir.kvstore.shard.BlockNews;
import dev.kvasir.kvstore.tier.BlockFormat;
import dev.kvasir.kvstore.tier.MemoryTier;
import dev.kvasir.kvstore.tier.StoredBlock;
import dev.kvasir.protocol.Continuation;
import dev.kvasir.protocol.GenerationRequest;
import dev.kvasir.protocol.KvSource;
import dev.kvasir.protocol.PrefixCacheProtocol.Tier;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.worker.schedule.SchedulerLimits;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class SharedBlocksTest {
    private static final int BLOCK_SIZE = 4;
    private static final int SEATS = 8;
    private static final int POOL = 40;
    private static final int PROMPT = 100;

    private final StandInRunner runner = new StandInRunner(POOL, BLOCK_SIZE, 64);
    private final MemoryTier tier =
            new MemoryTier(new BlockFormat("print", "f32", BLOCK_SIZE, 1, BLOCK_SIZE * Integer.BYTES), 1 << 20);
    private int requests;

    @AfterEach
    void close() {
        tier.close();
    }

    private EngineCore core(SharedBlocks shared, Puller puller) {
        var limits = new SchedulerLimits(64, SEATS, 64, BLOCK_SIZE);
        var settings = new EngineSettings("stand-in", 1, "print", "f32", 2_000, limits, 8, new int[] {0}, true, 1_000);
        return new EngineCore(settings, runner, new CountingObserver(), shared, puller);
    }

    private SharedBlocks shared(int longBlocks, long bytesPerStep) {
        return shared(longBlocks, bytesPerStep, CopyShare.ofUnproven(false, () -> 0), CopyShare.ofReused(() -> 0));
    }

    private SharedBlocks shared(int longBlocks, long bytesPerStep, CopyShare share, CopyShare shareOfReused) {
        return new SharedBlocks(
                () -> {},
                tier,
                new Keeping(longBlocks),
                share,
                shareOfReused,
                bytesPerStep,
                SharedBlocks.Offering.NONE);
    }

    private static int[] prompt(int number) {
        var prompt = new int[PROMPT];
        Arrays.setAll(prompt, i -> 1 + (i * 7 + number * 31) % 90);
        return prompt;
    }

    private RecordingSink submit(EngineCore core, int[] prompt, List<KvSource> sources) {
        var sink = new RecordingSink();
        var request = new GenerationRequest(
                new RequestId("request-" + requests++), "stand-in", prompt, SamplingParameters.greedy(3), "", 0);
        core.submit(new ActiveRequest(request, Continuation.fresh(1), ActiveRequest.NO_DEADLINE, sink, sources), 0);
        return sink;
    }

    /** Answers a request, checks it, and says how many tokens of its prompt were not computed. */
    private int cachedTokens(EngineCore core, int number) {
        var sink = submit(core, prompt(number), List.of());
        while (!core.isIdle()) {
            core.step(0);
        }
        assertThat(sink.tokens.get(0))
                .isEqualTo(StandInModel.output(prompt(number), SamplingParameters.greedy(3), 0, 2_000));
        return sink.cachedTokens;
    }

    @Test
    void blocksThatTheDeviceLetGoOfComeBackFromHostMemory() {
        var shared = shared(10, Long.MAX_VALUE);
        var core = core(shared, Puller.NONE);
        assertThat(cachedTokens(core, 1)).isZero();
        assertThat(cachedTokens(core, 2)).isZero();
        assertThat(cachedTokens(core, 3)).isZero();
        assertThat(cachedTokens(core, 1)).isEqualTo(96);
        assertThat(shared.restored()).isPositive();
        assertThat(tier.inUse()).isZero();
    }

    @Test
    void shortPromptsThatNobodyCameBackToAreNotKept() {
        var core = core(shared(1_000, Long.MAX_VALUE), Puller.NONE);
        for (int number = 0; number < 6; number++) {
            cachedTokens(core, number);
        }
        assertThat(tier.size()).isZero();
        // Asked twice while on the device: worth keeping.
        cachedTokens(core, 5);
        for (int number = 10; number < 14; number++) {
            cachedTokens(core, number);
        }
        assertThat(cachedTokens(core, 5)).isEqualTo(96);
    }

    @Test
    void whatSomebodyCameBackToIsCopiedWhileItIsOnTheDevice() {
        var core = core(shared(1_000, Long.MAX_VALUE), Puller.NONE);
        cachedTokens(core, 1);
        assertThat(tier.size()).isZero();
        cachedTokens(core, 1);
        assertThat(tier.size()).isEqualTo(24);
        assertThat(core.cache().evictions()).isZero();
    }

    @Test
    void noStepWaitsForCopiesOfWhatItFound() {
        runner.runAhead();
        var core = core(shared(1_000, Long.MAX_VALUE), Puller.NONE);
        cachedTokens(core, 1);
        cachedTokens(core, 1);
        assertThat(tier.size()).isEqualTo(24);
        assertThat(runner.readsBetweenSteps).isZero();
    }

    @Test
    void copiesOfWhatIsOnTheDeviceGetASmallShareOfTheTime() {
        var clock = new AtomicLong();
        // Each look at the clock takes a microsecond: of 10 microseconds that are saved up some three copies are made.
        var share = new CopyShare(0.001, 10_000, () -> clock.addAndGet(1_000));
        var core = core(shared(1_000, Long.MAX_VALUE, CopyShare.ofUnproven(false, () -> 0), share), Puller.NONE);
        cachedTokens(core, 1);
        cachedTokens(core, 1);
        assertThat(tier.size()).isBetween(1, 12);
        assertThat(tier.blocks()).extracting(StoredBlock::depth).contains(0);
    }

    @Test
    void longPromptsThatNobodyCameBackToGetASmallShareOfTheTimeOfSteps() {
        var clock = new AtomicLong();
        var tick = new AtomicLong(1_000);
        // Each look at the clock takes a microsecond, and so does a copy; what is saved up is enough for one chain.
        var share = new CopyShare(0.001, 2_000, () -> clock.addAndGet(tick.get()));
        var core = core(shared(1, Long.MAX_VALUE, share, CopyShare.ofReused(() -> 0)), Puller.NONE);
        for (int number = 0; number < 6; number++) {
            cachedTokens(core, number);
        }
        int begun = tier.size();
        assertThat(begun).isBetween(1, 30);
        assertThat(tier.blocks().getFirst().depth())
                .as("what was begun is finished")
                .isZero();
        clock.addAndGet(100_000_000);
        for (int number = 10; number < 14; number++) {
            cachedTokens(core, number);
        }
        assertThat(tier.size()).as("what passed between steps").isEqualTo(begun);
        tick.set(10_000_000);
        for (int number = 20; number < 24; number++) {
            cachedTokens(core, number);
        }
        assertThat(tier.size()).as("what passed in steps").isGreaterThan(begun);
    }

    @Test
    void copyingBackInSmallPartsHoldsOnlyThatSequenceUp() {
        var core = core(shared(1, BLOCK_SIZE * Integer.BYTES), Puller.NONE);
        cachedTokens(core, 1);
        cachedTokens(core, 2);
        cachedTokens(core, 3);
        var slow = submit(core, prompt(1), List.of());
        var other = submit(core, new int[] {5, 6, 7}, List.of());
        core.step(0);
        core.step(0);
        assertThat(other.tokens.get(0)).isNotEmpty();
        assertThat(slow.tokens.getOrDefault(0, List.of())).isEmpty();
        while (!core.isIdle()) {
            core.step(0);
        }
        assertThat(slow.cachedTokens).isEqualTo(96);
    }

    @Test
    void nothingIsCopiedBackForThoseWhoseTurnHasNotCome() {
        var shared = shared(1, Long.MAX_VALUE);
        var core = core(shared, Puller.NONE);
        for (int number = 1; number < 4; number++) {
            cachedTokens(core, number);
        }
        var running = new RecordingSink();
        var request = new GenerationRequest(
                new RequestId("long"), "stand-in", prompt(7), SamplingParameters.greedy(40), "", 0);
        core.submit(new ActiveRequest(request, ActiveRequest.NO_DEADLINE, running), 0);
        core.step(0);
        core.step(0);
        // Each needs 25 blocks and the one that runs has as many of 40.
        var first = submit(core, prompt(1), List.of());
        var second = submit(core, prompt(2), List.of());
        long before = shared.restored();
        for (int step = 0; step < 20; step++) {
            core.step(0);
        }
        assertThat(core.load().waiting()).isEqualTo(2);
        assertThat(shared.restored()).isEqualTo(before);
        while (!core.isIdle()) {
            core.step(0);
        }
        assertThat(first.cachedTokens).isEqualTo(96);
        assertThat(second.cachedTokens).isEqualTo(96);
        assertThat(running.tokens.get(0)).hasSize(40);
    }

    @Test
    void aDamagedCopyIsRecomputed() {
        var core = core(shared(10, Long.MAX_VALUE), Puller.NONE);
        var hasher = new BlockHasher(BLOCK_SIZE);
        var chain = HashChain.of(hasher, hasher.root(new HashRoot("print", "", "f32", BLOCK_SIZE, "", "")));
        chain.extend(prompt(1), PROMPT);
        for (int i = 0; i < 24; i++) {
            var reservation = Objects.requireNonNull(tier.reserve());
            reservation.bytes().fill((byte) 1);
            reservation.publish(
                    new StoredBlock(chain.get(i), chain.get(0), i == 0 ? null : chain.get(i - 1), i, 12345));
        }
        assertThat(cachedTokens(core, 1)).isZero();
        assertThat(tier.damaged()).isPositive();
    }

    @Test
    void newsTellExactlyWhatIsHeldAlsoAfterTheyWereLost() {
        var shared = shared(10, Long.MAX_VALUE);
        var core = core(shared, Puller.NONE);
        Set<BlockHash> device = new HashSet<>();
        Set<BlockHash> host = new HashSet<>();
        for (int number = 0; number < 200; number++) {
            cachedTokens(core, number % 17);
            if (number % 90 > 30 || number == 199) {
                read(shared, core, device, host);
                assertThat(device).hasSize(core.cache().size());
                assertThat(host).hasSize(tier.size());
            }
        }
    }

    @Test
    void whatCameBackForARequestThatWasGivenUpIsTold() {
        var shared = shared(1, BLOCK_SIZE * Integer.BYTES);
        var core = core(shared, Puller.NONE);
        for (int number = 1; number < 4; number++) {
            cachedTokens(core, number);
        }
        Set<BlockHash> device = new HashSet<>();
        Set<BlockHash> host = new HashSet<>();
        read(shared, core, device, host);
        var request = new GenerationRequest(
                new RequestId("fickle"), "stand-in", prompt(1), SamplingParameters.greedy(3), "", 0);
        var fickle = new ActiveRequest(request, ActiveRequest.NO_DEADLINE, new RecordingSink());
        long before = shared.restored();
        core.submit(fickle, 0);
        core.step(0);
        assertThat(shared.restored()).isGreaterThan(before);
        fickle.cancel();
        core.step(0);
        assertThat(core.isIdle()).isTrue();
        readTold(shared, device, host);
        assertThat(device).hasSize(core.cache().size());
        assertThat(host).hasSize(tier.size());
    }

    @Test
    void aCopyThatAReaderFoundDamagedIsToldOfWhenThePublisherAsks() {
        var shared = shared(1, Long.MAX_VALUE);
        var core = core(shared, Puller.NONE);
        Set<BlockHash> device = new HashSet<>();
        Set<BlockHash> host = new HashSet<>();
        for (int number = 1; number < 4; number++) {
            cachedTokens(core, number);
        }
        read(shared, core, device, host);
        var reservation = Objects.requireNonNull(tier.reserve());
        reservation.publish(new StoredBlock(new BlockHash(1, 2), new BlockHash(1, 2), null, 0, 12345));
        read(shared, core, device, host);
        assertThat(host).contains(new BlockHash(1, 2));
        try (var pin = Objects.requireNonNull(tier.pin(new BlockHash(1, 2)))) {
            assertThat(pin.verify()).isFalse();
        }
        assertThat(shared.hasMore()).isTrue();
        read(shared, core, device, host);
        assertThat(host).doesNotContain(new BlockHash(1, 2)).hasSize(tier.size());
        assertThat(shared.hasMore()).isFalse();
    }

    private static void read(SharedBlocks shared, EngineCore core, Set<BlockHash> device, Set<BlockHash> host) {
        do {
            core.flushShared();
            readTold(shared, device, host);
        } while (shared.hasMore());
    }

    private static void readTold(SharedBlocks shared, Set<BlockHash> device, Set<BlockHash> host) {
        var batch = shared.poll();
        while (batch != null) {
            if (batch.anew()) {
                device.clear();
                host.clear();
            }
            batch.news().forEach(news -> note(news, news.tier() == Tier.DEVICE ? device : host));
            batch = shared.poll();
        }
    }

    private static void note(BlockNews news, Set<BlockHash> held) {
        if (news.stored()) {
            held.add(news.hash());
        } else {
            held.remove(news.hash());
        }
    }

    /** A pull that ends when the test says so. */
    private static final class Promise implements Pull {
        final AtomicBoolean done = new AtomicBoolean();
        final AtomicBoolean unwanted = new AtomicBoolean();

        @Override
        public boolean isDone() {
            return done.get();
        }

        @Override
        public void giveUp() {
            unwanted.set(true);
        }
    }

    @Test
    void aSequenceThatWaitsForAPullLetsOthersGoOnAndIsRecomputedWhereNothingCame() {
        var promise = new Promise();
        var core = core(shared(10, Long.MAX_VALUE), (need, sources) -> {
            assertThat(need.chain()).hasSize(24);
            assertThat(need.have()).isZero();
            return promise;
        });
        var pulling = submit(core, prompt(1), List.of(new KvSource("peer:1", 9, 24)));
        core.step(0);
        assertThat(core.waitsForPulls()).isTrue();
        assertThat(core.isIdle()).isFalse();
        assertThat(core.load().waiting()).isEqualTo(1);
        assertThat(cachedTokensBeside(core)).isNotEmpty();
        assertThat(pulling.tokens.getOrDefault(0, List.of())).isEmpty();
        promise.done.set(true);
        while (!core.isIdle()) {
            core.step(0);
        }
        assertThat(pulling.tokens.get(0))
                .isEqualTo(StandInModel.output(prompt(1), SamplingParameters.greedy(3), 0, 2_000));
        assertThat(pulling.cachedTokens).isZero();
    }

    /** A burst: those beyond the seats came up while the first ones were set aside, and computed what was on its way. */
    @Test
    void howeverManyWaitForAPullNoneOfThemComputesWhatItBrings() {
        var promise = new Promise();
        var core = core(shared(10, Long.MAX_VALUE), (need, sources) -> promise);
        int burst = 2 * SEATS; // As many as the queue takes.
        for (int i = 0; i < burst; i++) {
            submit(core, prompt(1), List.of(new KvSource("peer:1", 9, 24)));
        }
        for (int i = 0; i < 3; i++) {
            core.step(0);
            assertThat(core.waitsForPulls()).isTrue();
        }
        assertThat(core.cache().size()).isZero();
        assertThat(core.load().waiting()).isEqualTo(burst);
        assertThat(cachedTokensBeside(core)).isNotEmpty();
    }

    @Test
    void whatWaitingSequencesWillFindIsNoLoad() {
        var core = core(shared(10, Long.MAX_VALUE), (need, sources) -> new Promise());
        cachedTokens(core, 1);
        int prompt = prompt(1).length;
        submit(core, prompt(2), List.of());
        assertThat(core.load().tokensInFlight()).isEqualTo(prompt);
        submit(core, prompt(1), List.of());
        assertThat(core.load().tokensInFlight()).isEqualTo(prompt + prompt - 96);
        submit(core, prompt(3), List.of(new KvSource("peer:1", 9, 20)));
        assertThat(core.load().tokensInFlight()).isEqualTo(prompt + prompt - 96 + prompt - 80);
    }

    private List<Integer> cachedTokensBeside(EngineCore core) {
        var beside = submit(core, new int[] {1, 2, 3}, List.of());
        for (int i = 0; i < 5; i++) {
            core.step(0);
        }
        return beside.tokens.getOrDefault(0, List.of());
    }

    @Test
    void aCancelledRequestGivesItsPullUpAndLeavesAtOnce() {
        var promise = new Promise();
        var core = core(shared(10, Long.MAX_VALUE), (need, sources) -> promise);
        var sink = new RecordingSink();
        var request = new GenerationRequest(
                new RequestId("cancelled"), "stand-in", prompt(1), SamplingParameters.greedy(3), "", 0);
        var active = new ActiveRequest(
                request,
                Continuation.fresh(1),
                ActiveRequest.NO_DEADLINE,
                sink,
                List.of(new KvSource("peer:1", 9, 24)));
        core.submit(active, 0);
        core.step(0);
        active.cancel();
        core.step(0);
        assertThat(promise.unwanted).isTrue();
        assertThat(core.isIdle()).isTrue();
        assertThat(core.cache().pool().used()).isZero();
    }

    @Test
    void copiesAreExportedForOthers() {
        var shared = shared(1_000, Long.MAX_VALUE);
        var core = core(shared, Puller.NONE);
        cachedTokens(core, 1);
        assertThat(tier.size()).isZero();
        var names = new HashSet<BlockHash>();
        shared.forEachBlock((place, hash) -> names.add(hash));
        assertThat(names).hasSize(core.cache().size());
        shared.export(List.copyOf(names));
        assertThat(tier.size()).isEqualTo(core.cache().size());
        assertThat(tier.inUse()).isZero();
    }
}
