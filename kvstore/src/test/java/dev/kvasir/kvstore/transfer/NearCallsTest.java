package dev.kvasir.kvstore.transfer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.tier.BlockFormat;
import dev.kvasir.kvstore.tier.MemoryTier;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Over real sockets; the device's memory is described, never touched. */
class NearCallsTest {
    private static final BlockFormat FORMAT = new BlockFormat("print", "bf16", 16, 1, 1000);
    private static final NearMemory MEMORY = new NearMemory(new byte[] {1, 2, 3}, 256, 10_000, 250, 4, 40);
    private static final Duration SOON = Duration.ofSeconds(10);

    private final Semaphore returned = new Semaphore(0);
    private final TransferClient client = new TransferClient(TransferServer::connect, 4);
    private final NearCalls calls = new NearCalls(client, FORMAT, "here");
    private TransferServer server = serve(Duration.ofMinutes(1));

    private TransferServer serve(Duration loanMax) {
        return TransferServer.start("127.0.0.1", 0, new TransferService(new Host(), Optional.empty(), 4, loanMax));
    }

    /** Has the even ones of all blocks up to an odd one that is asked for. */
    private final class Host implements BlockHost, NearBlocks {
        @Override
        public long incarnation() {
            return 7;
        }

        @Override
        public @Nullable MemoryTier tier(BlockFormat format) {
            return null;
        }

        @Override
        public void bring(BlockFormat format, List<BlockHash> hashes) {}

        @Override
        public @Nullable NearBlocks near(BlockFormat format) {
            return format.equals(FORMAT) ? this : null;
        }

        @Override
        public String host() {
            return "here";
        }

        @Override
        public NearMemory memory() {
            return MEMORY;
        }

        @Override
        public Loan lend(List<BlockHash> hashes, Duration timeMax) {
            var blocks = new ArrayList<LentBlock>();
            for (var hash : hashes) {
                if (hash.low() % 2 != 0) {
                    break;
                }
                blocks.add(new LentBlock(hash, (int) hash.low() / 2, -hash.low()));
            }
            return new Loan() {
                @Override
                public List<LentBlock> blocks() {
                    return blocks;
                }

                @Override
                public void close() {
                    returned.release();
                }
            };
        }
    }

    @AfterEach
    void close() {
        client.close();
        server.close();
    }

    private String address() {
        return "127.0.0.1:" + server.port();
    }

    private static List<BlockHash> hashes(long... low) {
        var hashes = new ArrayList<BlockHash>();
        for (long one : low) {
            hashes.add(new BlockHash(5, one));
        }
        return hashes;
    }

    @Test
    void aPoolIsDescribedAndItsEndIsHeardOf() throws InterruptedException {
        var attachment = calls.attach(address(), 7, SOON);
        assertThat(attachment.memory()).usingRecursiveComparison().isEqualTo(MEMORY);
        var ended = new CountDownLatch(1);
        attachment.whenEnded(ended::countDown);
        assertThat(ended.getCount()).isEqualTo(1);
        server.close();
        assertThat(ended.await(10, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    void anotherHostLifeOrFormatIsRefusedWithItsReason() {
        assertThatThrownBy(() -> new NearCalls(client, FORMAT, "elsewhere").attach(address(), 7, SOON))
                .isInstanceOf(StatusRuntimeException.class)
                .hasMessageContaining("another host");
        assertThatThrownBy(() -> calls.attach(address(), 8, SOON)).hasMessageContaining("life 8 is asked, this is 7");
        var other = new BlockFormat("print", "f16", 16, 1, 1000);
        assertThatThrownBy(() -> new NearCalls(client, other, "here").attach(address(), 7, SOON))
                .hasMessageContaining("no such blocks");
    }

    @Test
    void aMemberThatIsGoneIsAnExceptionAndNoWait() {
        var address = address();
        server.close();
        assertThatThrownBy(() -> calls.attach(address, 7, SOON)).isInstanceOf(StatusRuntimeException.class);
        assertThatThrownBy(() -> calls.borrow(address, 7, hashes(2), SOON)).isInstanceOf(StatusRuntimeException.class);
    }

    @Test
    void blocksAreLentUntilTheReaderIsDone() throws InterruptedException {
        try (var borrowed = calls.borrow(address(), 7, hashes(2, 4, 5, 6), SOON)) {
            assertThat(borrowed.blocks())
                    .containsExactly(
                            new LentBlock(new BlockHash(5, 2), 1, -2), new LentBlock(new BlockHash(5, 4), 2, -4));
            assertThat(borrowed.isHeld()).isTrue();
            assertThat(returned.availablePermits()).isZero();
        }
        assertThat(returned.tryAcquire(10, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    void blocksOfAReaderThatDiesComeBack() throws InterruptedException {
        var borrowed = calls.borrow(address(), 7, hashes(2), SOON);
        client.close();
        assertThat(returned.tryAcquire(10, TimeUnit.SECONDS)).isTrue();
        borrowed.close();
    }

    @Test
    void blocksThatAreNotGivenBackComeBackByThemselves() throws InterruptedException {
        server.close();
        server = serve(Duration.ofMillis(30));
        var borrowed = calls.borrow(address(), 7, hashes(2), SOON);
        assertThat(returned.tryAcquire(10, TimeUnit.SECONDS)).isTrue();
        while (borrowed.isHeld()) {
            Thread.onSpinWait();
        }
        borrowed.close();
    }

    @Test
    void nothingLentEndsAtOnce() throws InterruptedException {
        var borrowed = calls.borrow(address(), 7, hashes(3), SOON);
        assertThat(borrowed.blocks()).isEmpty();
        assertThat(returned.tryAcquire(10, TimeUnit.SECONDS)).isTrue();
        borrowed.close();
    }

    @Test
    void poolsThatCannotBeAreRefused() {
        assertThatThrownBy(() -> new NearMemory(new byte[0], 0, 10, 1, 1, 1)).hasMessageContaining("handle");
        assertThatThrownBy(() -> new NearMemory(new byte[] {1}, -1, 10, 1, 1, 1))
                .hasMessageContaining("no such pool");
        assertThatThrownBy(() -> new NearMemory(new byte[] {1}, 0, 10, 2, 1, 6)).hasMessageContaining("no such pool");
        assertThat(MEMORY.byteSize()).isEqualTo(3 * 10_000 + 40 * 250);
    }
}
