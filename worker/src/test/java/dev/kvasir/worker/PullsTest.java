package dev.kvasir.worker;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.ConfigFactory;
import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.tier.BlockFormat;
import dev.kvasir.kvstore.tier.Checksum;
import dev.kvasir.kvstore.tier.MemoryTier;
import dev.kvasir.kvstore.tier.StoredBlock;
import dev.kvasir.kvstore.transfer.BlockHost;
import dev.kvasir.kvstore.transfer.TransferClient;
import dev.kvasir.kvstore.transfer.TransferServer;
import dev.kvasir.kvstore.transfer.TransferService;
import dev.kvasir.protocol.KvSource;
import dev.kvasir.worker.engine.Pull;
import dev.kvasir.worker.engine.PullNeed;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class PullsTest {
    private static final BlockFormat FORMAT = new BlockFormat("print", "f32", 16, 1, 1000);
    private static final int BLOCKS = 6;

    private final MemoryTier there = new MemoryTier(FORMAT, 1 << 20);
    private final MemoryTier here = new MemoryTier(FORMAT, 1 << 20);
    private final CountDownLatch gate = new CountDownLatch(1);
    private final AtomicInteger asked = new AtomicInteger();
    private final TransferServer server = TransferServer.start(
            "127.0.0.1", 0, new TransferService(new Holding(), Optional.empty(), 4, Duration.ofMinutes(1)));
    private final TransferClient client = new TransferClient(TransferServer::connect, 4);
    private final Pulls pulls =
            new Pulls(client, FORMAT, here, SharingConfig.from(ConfigFactory.parseString("pull-timeout = 60 s")));
    private final KvSource source = new KvSource("127.0.0.1:" + server.port(), 7, BLOCKS);

    /** A member that answers when the gate is open. */
    private final class Holding implements BlockHost {
        @Override
        public long incarnation() {
            return 7;
        }

        @Override
        public @Nullable MemoryTier tier(BlockFormat format) {
            return there;
        }

        @Override
        public void bring(BlockFormat format, List<BlockHash> hashes) throws InterruptedException {
            asked.incrementAndGet();
            assertThat(gate.await(20, TimeUnit.SECONDS)).isTrue();
        }
    }

    @AfterEach
    void close() {
        gate.countDown();
        client.close();
        server.close();
        there.close();
        here.close();
    }

    private static List<BlockHash> chain(int blocks) {
        var chain = new ArrayList<BlockHash>();
        for (int depth = 0; depth < blocks; depth++) {
            chain.add(new BlockHash(3, depth));
        }
        return chain;
    }

    private void fillThere() {
        var chain = chain(BLOCKS);
        for (int depth = 0; depth < BLOCKS; depth++) {
            var reservation = Objects.requireNonNull(there.reserve());
            reservation.bytes().fill((byte) depth);
            int checksum = Checksum.of(reservation.bytes());
            reservation.publish(new StoredBlock(
                    chain.get(depth), chain.getFirst(), depth == 0 ? null : chain.get(depth - 1), depth, checksum));
        }
    }

    /** Of a worker so slow that it has all patience. */
    private static PullNeed need(int blocks, int have) {
        return new PullNeed(chain(blocks), have, 16, 1e-3, 0);
    }

    private Pull begin(int blocks) {
        return Objects.requireNonNull(pulls.begin(need(blocks, 0), List.of(source)));
    }

    private static void awaitDone(Pull pull) {
        while (!pull.isDone()) {
            Thread.onSpinWait();
        }
    }

    @Test
    void sequencesThatLackTheSameBlocksWaitForOnePull() {
        fillThere();
        var first = begin(BLOCKS);
        var second = begin(BLOCKS);
        var shorter = begin(BLOCKS - 2);
        gate.countDown();
        awaitDone(first);
        awaitDone(second);
        awaitDone(shorter);
        assertThat(pulls.done()).isEqualTo(1);
        assertThat(asked).hasValue(1);
        assertThat(here.size()).isEqualTo(BLOCKS);
        assertThat(here.inUse()).isZero();
    }

    @Test
    void aSequenceThatComesWhenSomeBlocksAreThereWaitsForTheSamePull() {
        fillThere();
        var first = begin(BLOCKS);
        var later = Objects.requireNonNull(pulls.begin(need(BLOCKS, 2), List.of(source)));
        var shorter = Objects.requireNonNull(pulls.begin(need(BLOCKS - 1, 1), List.of(source)));
        gate.countDown();
        awaitDone(first);
        assertThat(later.isDone()).isTrue();
        assertThat(shorter.isDone()).isTrue();
        assertThat(pulls.done()).isEqualTo(1);
        assertThat(asked).hasValue(1);
    }

    @Test
    void blocksThatLieOnSeveralMembersComeTogether() {
        fillThere();
        var other = TransferServer.start(
                "127.0.0.1", 0, new TransferService(new Holding(), Optional.empty(), 4, Duration.ofMinutes(1)));
        try {
            gate.countDown();
            var sources = List.of(
                    new KvSource("127.0.0.1:" + server.port(), 7, 0, 2),
                    new KvSource("127.0.0.1:" + other.port(), 7, 2, 4),
                    new KvSource("127.0.0.1:" + server.port(), 7, 4, BLOCKS));
            awaitDone(Objects.requireNonNull(pulls.begin(need(BLOCKS, 0), sources)));
            assertThat(here.size()).isEqualTo(BLOCKS);
            assertThat(pulls.blocks()).isEqualTo(BLOCKS);
            assertThat(pulls.done()).isEqualTo(1);
            assertThat(asked).hasValue(2);
        } finally {
            other.close();
        }
    }

    @Test
    void whereOneOfSeveralMembersHasGoneTheOthersBlocksCome() {
        fillThere();
        gate.countDown();
        var sources =
                List.of(new KvSource("127.0.0.1:" + server.port(), 7, 0, 4), new KvSource("127.0.0.1:1", 7, 4, BLOCKS));
        awaitDone(Objects.requireNonNull(pulls.begin(need(BLOCKS, 0), sources)));
        assertThat(here.size()).isEqualTo(4);
        assertThat(pulls.failed()).isEqualTo(1);
        assertThat(here.inUse()).isZero();
    }

    @Test
    void aPullGoesOnUntilNobodyWaitsForIt() {
        fillThere();
        var first = begin(BLOCKS);
        var second = begin(BLOCKS);
        first.giveUp();
        first.giveUp();
        gate.countDown();
        awaitDone(second);
        assertThat(here.size()).isEqualTo(BLOCKS);
    }

    @Test
    void aPullThatNobodyWaitsForIsGivenUpAndNotJoined() {
        fillThere();
        var first = begin(BLOCKS);
        first.giveUp();
        var next = begin(BLOCKS);
        awaitDone(first);
        gate.countDown();
        awaitDone(next);
        assertThat(here.size()).isEqualTo(BLOCKS);
        assertThat(pulls.done()).isEqualTo(1);
    }
}
