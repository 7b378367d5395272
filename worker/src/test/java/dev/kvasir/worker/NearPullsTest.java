package dev.kvasir.worker;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.ConfigFactory;
import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.BlockHasher;
import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.kvstore.hash.HashRoot;
import dev.kvasir.kvstore.tier.BlockFormat;
import dev.kvasir.kvstore.tier.MemoryTier;
import dev.kvasir.kvstore.transfer.NearMemory;
import dev.kvasir.kvstore.transfer.TransferClient;
import dev.kvasir.kvstore.transfer.TransferServer;
import dev.kvasir.kvstore.transfer.TransferService;
import dev.kvasir.protocol.Continuation;
import dev.kvasir.protocol.GenerationRequest;
import dev.kvasir.protocol.KvSource;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.protocol.StreamEvent;
import dev.kvasir.worker.engine.ActiveRequest;
import dev.kvasir.worker.engine.CopyShare;
import dev.kvasir.worker.engine.CountingObserver;
import dev.kvasir.worker.engine.Engine;
import dev.kvasir.worker.engine.EngineCore;
import dev.kvasir.worker.engine.EngineSettings;
import dev.kvasir.worker.engine.Keeping;
import dev.kvasir.worker.engine.SharedBlocks;
import dev.kvasir.worker.engine.StandInModel;
import dev.kvasir.worker.engine.StandInRunner;
import dev.kvasir.worker.engine.StreamSink;
import dev.kvasir.worker.kernel.KvChecksum;
import dev.kvasir.worker.kernel.NearKv;
import dev.kvasir.worker.schedule.SchedulerLimits;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * Workers of one host with engines, sockets and everything else but a device: its memory is that of stand-in runners, which
 * find any block that is not what it should be.
 */
class NearPullsTest {
    private static final int BLOCK_SIZE = 4;
    private static final int POOL = 120;
    /** A quarter of it. */
    private static final int LENT_MAX = 30;

    private static final int PROMPT = 100;
    private static final int PROMPT_BLOCKS = PROMPT / BLOCK_SIZE;
    private static final int BLOCK_BYTES = BLOCK_SIZE * Integer.BYTES;
    private static final BlockFormat FORMAT = new BlockFormat("print", "f32", BLOCK_SIZE, 1, BLOCK_BYTES);

    private final Map<Byte, StandInRunner> devices = new ConcurrentHashMap<>();
    private final List<Member> members = new ArrayList<>();

    /** The memory of a device, and what may go wrong there. */
    private final class Memory implements NearKv {
        final byte name;
        final StandInRunner runner;
        volatile boolean damages;
        volatile boolean fails;
        volatile boolean refuses;
        volatile @Nullable CountDownLatch opens;
        volatile @Nullable CountDownLatch held;
        final AtomicInteger copies = new AtomicInteger();
        final AtomicInteger windows = new AtomicInteger();

        Memory(byte name, StandInRunner runner) {
            this.name = name;
            this.runner = runner;
            devices.put(name, runner);
        }

        @Override
        public NearMemory memory() {
            return new NearMemory(new byte[] {name}, 0, (long) BLOCK_BYTES * POOL, BLOCK_BYTES, 1, POOL);
        }

        @Override
        public void fence() {}

        @Override
        public long[] checksums(int[] blocks) {
            return Arrays.stream(blocks)
                    .mapToLong(block -> KvChecksum.of(read(runner, block)))
                    .toArray();
        }

        @Override
        public Window open(NearMemory memory) {
            var opening = opens;
            if (opening != null) {
                await(opening);
            }
            if (refuses) {
                throw new IllegalStateException("the driver keeps them apart");
            }
            var other = Objects.requireNonNull(devices.get(memory.handle()[0]));
            windows.incrementAndGet();
            return new Window() {
                @Override
                public long[] pull(int[] theirs, int[] own) {
                    var gate = held;
                    if (gate != null) {
                        await(gate);
                    }
                    if (fails) {
                        throw new IllegalStateException("the link is down");
                    }
                    copies.incrementAndGet();
                    for (int i = 0; i < own.length; i++) {
                        var block = read(other, theirs[i]);
                        if (damages && i == own.length / 2) {
                            block.fill((byte) 9);
                        }
                        runner.writeBlock(own[i], block);
                    }
                    return checksums(own);
                }

                @Override
                public void close() {
                    windows.decrementAndGet();
                }
            };
        }
    }

    /** With it prompts take minutes, so that every pull is worth while. */
    private static LongSupplier slow() {
        var nanos = new AtomicLong();
        return () -> nanos.addAndGet(1_000_000_000);
    }

    private static MemorySegment read(StandInRunner runner, int block) {
        var bytes = MemorySegment.ofArray(new int[BLOCK_SIZE]);
        runner.readBlock(block, bytes);
        return bytes;
    }

    private static void await(CountDownLatch gate) {
        try {
            assertThat(gate.await(20, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** A worker. */
    private final class Member {
        final StandInRunner runner = new StandInRunner(POOL, BLOCK_SIZE, 64);
        final Memory memory;
        final MemoryTier tier = new MemoryTier(FORMAT, 1 << 20);
        final TransferClient client = new TransferClient(TransferServer::connect, 4);
        final WorkerBlocks host;
        final TransferServer server;
        final Pulls pulls;
        final Engine engine;
        final @Nullable NearPlane near;

        /** @param hostName empty for one without a device */
        Member(int number, String hostName, String pullTimeout) {
            memory = new Memory((byte) number, runner);
            host = new WorkerBlocks(number, tier);
            var config = SharingConfig.from(ConfigFactory.parseString("pull-timeout = " + pullTimeout));
            server = TransferServer.start(
                    "127.0.0.1", 0, new TransferService(host, Optional.empty(), 4, Duration.ofMinutes(1)));
            pulls = new Pulls(client, FORMAT, tier, config);
            var shared = new SharedBlocks(
                    () -> {},
                    tier,
                    new Keeping(Integer.MAX_VALUE),
                    CopyShare.ofUnproven(false, System::nanoTime),
                    CopyShare.ofReused(System::nanoTime),
                    Long.MAX_VALUE,
                    SharedBlocks.Offering.NONE);
            var limits = new SchedulerLimits(64, 4, 64, BLOCK_SIZE);
            var settings =
                    new EngineSettings("stand-in", number, "print", "f32", 200, limits, 8, new int[] {0}, true, 1_000);
            var core = new EngineCore(settings, runner, new CountingObserver(), shared, pulls);
            engine = new Engine("engine-" + number, core, runner, new CountingObserver(), 16, slow(), _ -> {});
            near = hostName.isEmpty()
                    ? null
                    : new NearPlane(hostName, memory, engine, client, FORMAT, config.pullTimeout());
            host.start(engine, near == null ? null : near.lending());
            pulls.start(() -> engine.execute(_ -> {}), near == null ? null : near.pulls());
            engine.start();
            members.add(this);
        }

        KvSource source() {
            return new KvSource("127.0.0.1:" + server.port(), host.incarnation(), PROMPT_BLOCKS);
        }

        /** Answers a request, checks it, and says how many tokens of its prompt were not computed. */
        int cachedTokens(int number, KvSource... sources) {
            var sink = new Sink();
            var prompt = prompt(number);
            var request = new GenerationRequest(
                    new RequestId("request"), "stand-in", prompt, SamplingParameters.greedy(3), "", 0);
            engine.submit(new ActiveRequest(
                    request, Continuation.fresh(1), ActiveRequest.NO_DEADLINE, sink, List.of(sources)));
            assertThat(sink.ended.orTimeout(20, TimeUnit.SECONDS).join()).isTrue();
            assertThat(sink.tokens).isEqualTo(StandInModel.output(prompt, SamplingParameters.greedy(3), 0, 200));
            return sink.cached;
        }

        /** Until the memory of another is open here. */
        void meet(Member other) {
            var neighbours = Objects.requireNonNull(near).pulls().neighbours();
            while (!(neighbours.standing(other.source()) instanceof Neighbours.Near)) {
                Thread.onSpinWait();
            }
        }

        <T> T ask(Function<EngineCore, T> question) {
            var answer = new CompletableFuture<T>();
            assertThat(engine.execute(core -> answer.complete(question.apply(core))))
                    .isTrue();
            return answer.orTimeout(20, TimeUnit.SECONDS).join();
        }

        int held() {
            return ask(core -> core.loans().held());
        }

        /** Until all that was lent or reserved has come back. */
        void awaitRest() {
            while (ask(core -> core.loans().size() + core.cache().pool().used()) > 0) {
                Thread.onSpinWait();
            }
            assertThat(held()).isZero();
            assertThat(tier.inUse()).isZero();
        }

        void stop() {
            server.close();
            if (near != null) {
                near.close();
            }
            client.close();
            engine.stop();
            tier.close();
        }
    }

    private static final class Sink implements StreamSink {
        final List<Integer> tokens = new ArrayList<>();
        final CompletableFuture<Boolean> ended = new CompletableFuture<>();
        int cached;

        @Override
        public void publish(StreamEvent event) {
            if (event instanceof StreamEvent.Tokens some) {
                tokens.addAll(some.tokens().stream().map(ScoredToken::token).toList());
                cached = some.cachedTokens();
            }
        }

        @Override
        public void ended() {
            ended.complete(true);
        }
    }

    private static int[] prompt(int number) {
        var prompt = new int[PROMPT];
        Arrays.setAll(prompt, i -> 1 + (i * 7 + number * 31) % 90);
        return prompt;
    }

    private static HashChain chain(int number) {
        var hasher = new BlockHasher(BLOCK_SIZE);
        var chain = HashChain.of(hasher, hasher.root(new HashRoot("print", "", "f32", BLOCK_SIZE, "", "")));
        chain.extend(prompt(number), PROMPT);
        return chain;
    }

    @AfterEach
    void stop() {
        members.forEach(Member::stop);
    }

    @Test
    void blocksGoFromDeviceToDeviceAndNotThroughHostMemory() {
        var first = new Member(1, "host", "20 s");
        var second = new Member(2, "host", "20 s");
        assertThat(first.cachedTokens(1)).isZero();
        second.meet(first);
        assertThat(second.cachedTokens(1, first.source())).isEqualTo(PROMPT - BLOCK_SIZE);
        assertThat(second.pulls.nearBlocks()).isEqualTo(PROMPT_BLOCKS - 1);
        assertThat(second.pulls.blocks()).isEqualTo(PROMPT_BLOCKS - 1);
        assertThat(second.pulls.done()).isEqualTo(1);
        assertThat(first.tier.size()).isZero();
        first.awaitRest();
        second.awaitRest();
        // The pool is opened once; what is known is not pulled again.
        assertThat(second.cachedTokens(1, first.source())).isEqualTo(PROMPT - BLOCK_SIZE);
        assertThat(first.cachedTokens(2)).isZero();
        assertThat(second.cachedTokens(2, first.source())).isEqualTo(PROMPT - BLOCK_SIZE);
        assertThat(second.memory.windows).hasValue(1);
        assertThat(second.memory.copies).hasValue(2);
        assertThat(second.pulls.price(1e6).setupTokens()).isPositive();
    }

    @Test
    void nobodyWaitsForMemoryThatIsBeingOpened() {
        var first = new Member(1, "host", "20 s");
        var second = new Member(2, "host", "20 s");
        first.cachedTokens(1);
        var gate = new CountDownLatch(1);
        second.memory.opens = gate;
        assertThat(second.cachedTokens(1, first.source())).isEqualTo(PROMPT - BLOCK_SIZE);
        assertThat(second.pulls.nearBlocks()).isZero();
        assertThat(second.pulls.blocks()).isEqualTo(PROMPT_BLOCKS - 1);
        gate.countDown();
        second.meet(first);
        first.cachedTokens(2);
        assertThat(second.cachedTokens(2, first.source())).isEqualTo(PROMPT - BLOCK_SIZE);
        assertThat(second.pulls.nearBlocks()).isEqualTo(PROMPT_BLOCKS - 1);
    }

    @Test
    void aWorkerWhoseMemoryCannotBeOpenedServesFromHostMemory() {
        var first = new Member(1, "host", "20 s");
        var second = new Member(2, "host", "20 s");
        first.cachedTokens(1);
        second.memory.refuses = true;
        second.cachedTokens(1, first.source());
        first.cachedTokens(2);
        var neighbours = Objects.requireNonNull(second.near).pulls().neighbours();
        while (!(neighbours.standing(first.source()) instanceof Neighbours.Far)) {
            Thread.onSpinWait();
        }
        assertThat(second.cachedTokens(2, first.source())).isEqualTo(PROMPT - BLOCK_SIZE);
        first.cachedTokens(3);
        assertThat(second.cachedTokens(3, first.source())).isEqualTo(PROMPT - BLOCK_SIZE);
        assertThat(second.pulls.nearBlocks()).isZero();
        assertThat(second.memory.windows).hasValue(0);
    }

    @Test
    void pulledBlocksAreServedOnAndByBothAtOnce() {
        var first = new Member(1, "host", "20 s");
        var second = new Member(2, "host", "20 s");
        var third = new Member(3, "host", "20 s");
        first.cachedTokens(1);
        second.cachedTokens(2);
        second.meet(first);
        first.meet(second);
        third.meet(second);
        assertThat(second.cachedTokens(1, first.source())).isEqualTo(PROMPT - BLOCK_SIZE);
        assertThat(first.cachedTokens(2, second.source())).isEqualTo(PROMPT - BLOCK_SIZE);
        first.stop();
        assertThat(third.cachedTokens(1, second.source())).isEqualTo(PROMPT - BLOCK_SIZE);
        assertThat(third.pulls.nearBlocks()).isEqualTo(PROMPT_BLOCKS - 1);
    }

    @Test
    void anotherHostAndAMemberWithoutDeviceServeFromHostMemory() {
        var first = new Member(1, "host", "20 s");
        var elsewhere = new Member(2, "elsewhere", "20 s");
        var without = new Member(3, "", "20 s");
        first.cachedTokens(1);
        assertThat(elsewhere.cachedTokens(1, first.source())).isEqualTo(PROMPT - BLOCK_SIZE);
        assertThat(elsewhere.pulls.nearBlocks()).isZero();
        assertThat(elsewhere.pulls.blocks()).isEqualTo(PROMPT_BLOCKS - 1);
        assertThat(elsewhere.memory.windows).hasValue(0);
        assertThat(without.cachedTokens(1, first.source())).isEqualTo(PROMPT - BLOCK_SIZE);
        without.cachedTokens(2);
        var last = new Member(4, "host", "20 s");
        assertThat(last.cachedTokens(2, without.source())).isEqualTo(PROMPT - BLOCK_SIZE);
        assertThat(last.pulls.nearBlocks()).isZero();
    }

    @Test
    void whatCannotBeLentFollowsThroughHostMemory() {
        var first = new Member(1, "host", "20 s");
        var second = new Member(2, "host", "20 s");
        first.cachedTokens(1);
        second.meet(first);
        var names = chain(1);
        var some = new ArrayList<BlockHash>();
        for (int i = 0; i < LENT_MAX - 10; i++) {
            some.add(names.get(i));
        }
        var loan = Objects.requireNonNull(first.ask(core -> core.lend(some, Long.MAX_VALUE)));
        assertThat(second.cachedTokens(1, first.source())).isEqualTo(PROMPT - BLOCK_SIZE);
        assertThat(second.pulls.nearBlocks()).isBetween(10L, (long) PROMPT_BLOCKS - 1);
        assertThat(second.pulls.blocks()).isEqualTo(PROMPT_BLOCKS - 1);
        first.engine.giveBack(loan);
        first.awaitRest();
        second.awaitRest();
    }

    @Test
    void damagedBlocksAndAllAfterThemAreComputed() {
        var first = new Member(1, "host", "20 s");
        var second = new Member(2, "host", "20 s");
        first.cachedTokens(1);
        second.meet(first);
        second.memory.damages = true;
        assertThat(second.cachedTokens(1, first.source())).isBetween(BLOCK_SIZE, PROMPT / 2);
        assertThat(second.pulls.refused()).isEqualTo(1);
        assertThat(second.pulls.failed()).isEqualTo(1);
        first.awaitRest();
        second.awaitRest();
    }

    @Test
    void aCopyThatFailsIsComputedAndTheNextComesThroughHostMemory() {
        var first = new Member(1, "host", "20 s");
        var second = new Member(2, "host", "20 s");
        first.cachedTokens(1);
        second.meet(first);
        second.memory.fails = true;
        assertThat(second.cachedTokens(1, first.source())).isZero();
        assertThat(second.pulls.failed()).isEqualTo(1);
        first.awaitRest();
        second.awaitRest();
        first.cachedTokens(2);
        assertThat(second.cachedTokens(2, first.source())).isEqualTo(PROMPT - BLOCK_SIZE);
        assertThat(second.pulls.nearBlocks()).isZero();
        while (second.memory.windows.get() > 0) {
            Thread.onSpinWait();
        }
    }

    @Test
    void aCopyThatHangsKeepsItsBlocksButNobodyWaiting() {
        var first = new Member(1, "host", "20 s");
        var second = new Member(2, "host", "100 ms");
        first.cachedTokens(1);
        second.meet(first);
        var gate = new CountDownLatch(1);
        second.memory.held = gate;
        assertThat(second.cachedTokens(1, first.source())).isZero();
        assertThat(second.held()).isEqualTo(PROMPT_BLOCKS - 1);
        gate.countDown();
        first.awaitRest();
        second.awaitRest();
        // Late bytes have hit nothing that somebody else has.
        assertThat(second.cachedTokens(1)).isEqualTo(PROMPT - BLOCK_SIZE);
        assertThat(second.cachedTokens(5)).isZero();
    }

    @Test
    void theEndOfAWorkerClosesItsMemoryAndItsBlocksAreComputed() {
        var first = new Member(1, "host", "20 s");
        var second = new Member(2, "host", "20 s");
        first.cachedTokens(1);
        second.meet(first);
        assertThat(second.cachedTokens(1, first.source())).isEqualTo(PROMPT - BLOCK_SIZE);
        assertThat(second.memory.windows).hasValue(1);
        var source = first.source();
        first.cachedTokens(2);
        first.stop();
        while (second.memory.windows.get() > 0) {
            Thread.onSpinWait();
        }
        assertThat(second.cachedTokens(2, source)).isZero();
        second.awaitRest();
    }
}
