package dev.kvasir.kvstore.transfer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.tier.BlockFormat;
import dev.kvasir.kvstore.tier.Blocks;
import dev.kvasir.kvstore.tier.MemoryTier;
import dev.kvasir.kvstore.tier.StoredBlock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Pulls and offers over loopback connections, as between members. */
class TransferTest {
    private static final BlockFormat FORMAT = new BlockFormat("print", "F32", 16, 1, 200_000);
    private static final Duration SOON = Duration.ofSeconds(20);
    private static final long LIFE = 77;

    private final MemoryTier there = new MemoryTier(FORMAT, 64L << 20);
    private final MemoryTier here = new MemoryTier(FORMAT, 64L << 20);
    private final Host host = new Host(there);
    private final TransferClient client = new TransferClient(TransferServer::connect, 2);
    private final TransferServer server =
            TransferServer.start("127.0.0.1", 0, new TransferService(host, Optional.empty(), 4, Duration.ofMinutes(1)));

    /** A member with one tier; its blocks can be held back. */
    private static final class Host implements BlockHost {
        private final MemoryTier tier;
        private volatile @Nullable CountDownLatch gate;
        private volatile boolean asked;

        Host(MemoryTier tier) {
            this.tier = tier;
        }

        @Override
        public long incarnation() {
            return LIFE;
        }

        @Override
        public @Nullable MemoryTier tier(BlockFormat format) {
            return format.equals(tier.format()) ? tier : null;
        }

        @Override
        public void bring(BlockFormat format, List<BlockHash> hashes) throws InterruptedException {
            asked = true;
            var closed = gate;
            if (closed != null && !closed.await(20, TimeUnit.SECONDS)) {
                throw new IllegalStateException("nobody opened the gate");
            }
        }
    }

    @AfterEach
    void close() {
        client.close();
        server.close();
        there.close();
        here.close();
    }

    private String address() {
        return "127.0.0.1:" + server.port();
    }

    private static List<BlockHash> chain(int count) {
        var hashes = new ArrayList<BlockHash>();
        for (int depth = 0; depth < count; depth++) {
            hashes.add(Blocks.hash(1, depth));
        }
        return hashes;
    }

    private void fillThere(int count) {
        for (int depth = 0; depth < count; depth++) {
            Blocks.put(there, 1, depth);
        }
    }

    private Transfer pull(long life, BlockFormat format, List<BlockHash> hashes, boolean sparse) {
        return Objects.requireNonNull(client.pull(address(), life, format, hashes, sparse, here, SOON));
    }

    private static TransferState end(Transfer transfer) {
        try {
            return transfer.end().get(30, TimeUnit.SECONDS);
        } catch (InterruptedException | ExecutionException | TimeoutException e) {
            throw new AssertionError(e);
        }
    }

    private void assertHeldHere(int count) {
        for (int depth = 0; depth < count; depth++) {
            try (var pin = Objects.requireNonNull(here.pin(Blocks.hash(1, depth)))) {
                assertThat(pin.verify()).isTrue();
                assertThat(Blocks.holds(pin.bytes(), Blocks.hash(1, depth))).isTrue();
                assertThat(pin.block()).isEqualTo(Blocks.stored(FORMAT, 1, depth));
            }
        }
        assertThat(here.size()).isEqualTo(count);
        assertThat(here.inUse()).isZero();
    }

    @Test
    void aChainArrivesWholeAndVerified() {
        fillThere(100);
        var transfer = pull(LIFE, FORMAT, chain(100), false);
        assertThat(end(transfer)).isEqualTo(TransferState.DONE);
        assertThat(transfer.received()).isEqualTo(100);
        assertHeldHere(100);
        assertThat(there.inUse()).isZero();
    }

    @Test
    void aPullEndsWhereTheOtherHasNoMoreAndASparseOneGoesOn() {
        fillThere(10);
        Blocks.put(there, 1, 12);
        assertThat(end(pull(LIFE, FORMAT, chain(15), false))).isEqualTo(TransferState.DONE);
        assertHeldHere(10);
        assertThat(end(pull(LIFE, FORMAT, chain(15), true))).isEqualTo(TransferState.DONE);
        assertThat(here.contains(Blocks.hash(1, 12))).isTrue();
    }

    @Test
    void aLaterLifeOfTheMemberRefuses() {
        fillThere(3);
        var transfer = pull(LIFE - 1, FORMAT, chain(3), false);
        assertThat(end(transfer)).isEqualTo(TransferState.FAILED);
        assertThat(transfer.reason()).contains("FAILED_PRECONDITION");
        assertThat(here.size()).isZero();
    }

    @Test
    void blocksOfAnotherFormatAreNotGiven() {
        fillThere(3);
        var transfer = pull(LIFE, new BlockFormat("other", "F32", 16, 1, 200_000), chain(3), false);
        assertThat(end(transfer)).isEqualTo(TransferState.DONE);
        assertThat(transfer.received()).isZero();
        assertThat(here.size()).isZero();
    }

    @Test
    void aDamagedBlockEndsThePullBeforeItAndIsNotTaken() {
        fillThere(2);
        var reservation = Objects.requireNonNull(there.reserve());
        Blocks.fill(reservation.bytes(), Blocks.hash(9, 9));
        reservation.publish(Blocks.stored(FORMAT, 1, 2));
        var transfer = pull(LIFE, FORMAT, chain(3), false);
        assertThat(end(transfer)).isEqualTo(TransferState.DONE);
        assertHeldHere(2);
        assertThat(there.damaged()).isEqualTo(1);
    }

    @Test
    void aBlockUnderAnotherNameIsRefusedByTheReceiver() {
        // A member that answers with other blocks than those asked for.
        var reservation = Objects.requireNonNull(there.reserve());
        Blocks.fill(reservation.bytes(), Blocks.hash(1, 0));
        var right = Blocks.stored(FORMAT, 1, 0);
        reservation.publish(right);
        var liar = new Transfer(FORMAT, LIFE, List.of(Blocks.hash(5, 0)), false, here, System::nanoTime);
        var header = dev.kvasir.kvstore.tier.FrameHeader.of(FORMAT, LIFE, right);
        org.assertj.core.api.Assertions.assertThatThrownBy(
                        () -> liar.land(header, java.io.InputStream.nullInputStream()))
                .hasMessageContaining("not the one asked for");
        var stale = dev.kvasir.kvstore.tier.FrameHeader.of(FORMAT, LIFE + 1, right);
        org.assertj.core.api.Assertions.assertThatThrownBy(
                        () -> liar.land(stale, java.io.InputStream.nullInputStream()))
                .hasMessageContaining("comes from life");
        assertThat(here.size()).isZero();
        assertThat(here.inUse()).isZero();
    }

    @Test
    void bytesThatDoNotFitTheirChecksumAreNotTakenAndTheirSlotComesBack() {
        var right = Blocks.stored(FORMAT, 1, 0);
        var transfer = new Transfer(FORMAT, LIFE, List.of(right.hash()), false, here, System::nanoTime);
        var header = dev.kvasir.kvstore.tier.FrameHeader.of(
                FORMAT, LIFE, new StoredBlock(right.hash(), right.first(), null, 0, right.checksum() + 1));
        var bytes = new byte[FORMAT.blockBytes()];
        Blocks.fill(java.lang.foreign.MemorySegment.ofArray(bytes), right.hash());
        org.assertj.core.api.Assertions.assertThatThrownBy(
                        () -> transfer.land(header, new java.io.ByteArrayInputStream(bytes)))
                .hasMessageContaining("checksum");
        assertThat(here.size()).isZero();
        assertThat(here.inUse()).isZero();
    }

    @Test
    void aPullThatIsGivenUpEndsQuietlyAndFreesItsSlots() {
        fillThere(200);
        var transfer = pull(LIFE, FORMAT, chain(200), false);
        while (transfer.received() < 3 && !transfer.state().isOver()) {
            Thread.onSpinWait();
        }
        transfer.giveUp();
        assertThat(transfer.state().isOver()).isTrue();
        var state = end(transfer);
        assertThat(state.isQuiet()).isTrue();
        assertThat(here.inUse()).isZero();
        for (int depth = 0; depth < here.size(); depth++) {
            assertThat(here.contains(Blocks.hash(1, depth))).isTrue();
        }
    }

    @Test
    void aPullThatTakesTooLongFails() {
        fillThere(3);
        host.gate = new CountDownLatch(1);
        var transfer = Objects.requireNonNull(
                client.pull(address(), LIFE, FORMAT, chain(3), false, here, Duration.ofMillis(150)));
        assertThat(end(transfer)).isEqualTo(TransferState.FAILED);
        assertThat(transfer.reason()).contains("DEADLINE_EXCEEDED");
        Objects.requireNonNull(host.gate).countDown();
    }

    @Test
    void nobodyThereFailsSoon() {
        var transfer = Objects.requireNonNull(client.pull("127.0.0.1:1", LIFE, FORMAT, chain(3), false, here, SOON));
        assertThat(end(transfer)).isEqualTo(TransferState.FAILED);
    }

    @Test
    void transfersUnderWayAreBounded() {
        fillThere(1);
        var gate = new CountDownLatch(1);
        host.gate = gate;
        var first = pull(LIFE, FORMAT, chain(1), false);
        var second = pull(LIFE, FORMAT, chain(1), false);
        assertThat(client.pull(address(), LIFE, FORMAT, chain(1), false, here, SOON))
                .isNull();
        gate.countDown();
        end(first);
        end(second);
        assertThat(end(pull(LIFE, FORMAT, chain(1), false))).isEqualTo(TransferState.DONE);
    }

    @Test
    void aReceiverWithoutRoomKeepsWhatFits() {
        fillThere(10);
        try (var small = new MemoryTier(FORMAT, 3 * 200_064L)) {
            var pins = new ArrayList<MemoryTier.Pin>();
            Blocks.put(small, 8, 0);
            pins.add(Objects.requireNonNull(small.pin(Blocks.hash(8, 0))));
            var transfer = Objects.requireNonNull(client.pull(address(), LIFE, FORMAT, chain(10), false, small, SOON));
            assertThat(end(transfer).isQuiet()).isTrue();
            assertThat(small.contains(Blocks.hash(8, 0))).isTrue();
            pins.forEach(MemoryTier.Pin::close);
            assertThat(small.inUse()).isZero();
        }
    }

    @Test
    void whatAReceiverDislikedIsTheReason() {
        fillThere(3);
        try (var small = new MemoryTier(FORMAT, 200_064L)) {
            Blocks.put(small, 8, 0);
            try (var pin = Objects.requireNonNull(small.pin(Blocks.hash(8, 0)))) {
                var transfer =
                        Objects.requireNonNull(client.pull(address(), LIFE, FORMAT, chain(3), false, small, SOON));
                assertThat(end(transfer)).isEqualTo(TransferState.FAILED);
                assertThat(transfer.reason()).contains("no room in host memory");
                assertThat(transfer.refused()).isFalse();
                assertThat(pin.verify()).isTrue();
            }
        }
    }

    @Test
    void blocksThatDoNotFollowEachOtherAreRefused() {
        Blocks.put(there, 1, 0);
        var reservation = Objects.requireNonNull(there.reserve());
        var right = Blocks.stored(FORMAT, 1, 1);
        Blocks.fill(reservation.bytes(), right.hash());
        reservation.publish(new StoredBlock(right.hash(), right.first(), Blocks.hash(5, 5), 1, right.checksum()));
        var transfer = pull(LIFE, FORMAT, chain(2), false);
        assertThat(end(transfer)).isEqualTo(TransferState.FAILED);
        assertThat(transfer.reason()).contains("does not follow");
        assertThat(transfer.refused()).isTrue();
        assertThat(here.size()).isEqualTo(1);
        assertThat(here.inUse()).isZero();
    }

    private void putThere(StoredBlock block) {
        var reservation = Objects.requireNonNull(there.reserve());
        Blocks.fill(reservation.bytes(), block.hash());
        reservation.publish(block);
    }

    @Test
    void blocksOfASparsePullThatContradictTheirParentAreRefused() {
        Blocks.put(there, 1, 0);
        var right = Blocks.stored(FORMAT, 1, 1);
        putThere(new StoredBlock(right.hash(), right.first(), right.parent(), 3, right.checksum()));
        var transfer = pull(LIFE, FORMAT, chain(2), true);
        assertThat(end(transfer)).isEqualTo(TransferState.FAILED);
        assertThat(transfer.reason()).contains("does not follow");
        // The parent is here by now, and is not asked for again.
        var again = pull(LIFE, FORMAT, chain(2).subList(1, 2), true);
        assertThat(end(again)).isEqualTo(TransferState.FAILED);
        assertThat(again.reason()).contains("does not follow");
        assertHeldHere(1);
    }

    @Test
    void aBlockThatNeitherBeginsAChainNorFollowsAnotherIsRefused() {
        var right = Blocks.stored(FORMAT, 1, 2);
        putThere(new StoredBlock(right.hash(), right.first(), null, 2, right.checksum()));
        var transfer = pull(LIFE, FORMAT, chain(3).subList(2, 3), true);
        assertThat(end(transfer)).isEqualTo(TransferState.FAILED);
        assertThat(transfer.reason()).contains("neither the first");
        assertThat(here.size()).isZero();
    }

    @Test
    void aPullThatTakesTooLongIsNotServedToItsEnd() {
        fillThere(3);
        var gate = new CountDownLatch(1);
        host.gate = gate;
        var hurried = new TransferService(host, Optional.empty(), 4, Duration.ofMillis(10));
        try (var other = TransferServer.start("127.0.0.1", 0, hurried)) {
            var transfer = Objects.requireNonNull(
                    client.pull("127.0.0.1:" + other.port(), LIFE, FORMAT, chain(3), false, here, SOON));
            while (!host.asked) {
                Thread.onSpinWait();
            }
            long asked = System.nanoTime();
            while (System.nanoTime() - asked < 50_000_000) {
                Thread.onSpinWait();
            }
            gate.countDown();
            assertThat(end(transfer)).isEqualTo(TransferState.FAILED);
            assertThat(transfer.reason()).contains("longer than 10 ms");
        }
    }

    @Test
    void anIpv6AddressIsWrittenSoThatItCanBeRead() {
        assertThat(TransferSettings.at("::1").address(7355)).isEqualTo("[::1]:7355");
        assertThat(TransferSettings.at("[::1]").address(7355)).isEqualTo("[::1]:7355");
        assertThat(TransferSettings.at("10.0.0.1").address(7355)).isEqualTo("10.0.0.1:7355");
        assertThat(TransferSettings.at("host").address(7355)).isEqualTo("host:7355");
        var channel = TransferServer.connect("[::1]:7355");
        assertThat(channel.authority()).isEqualTo("[::1]:7355");
        channel.shutdownNow();
    }

    @Test
    void anOfferFromAnAddressOfNoUseIsRefused() {
        try (var taking = new TransferClient(TransferServer::connect, 2);
                var taker = TransferServer.start(
                        "127.0.0.1",
                        0,
                        new TransferService(new Host(here), Optional.of(taking), 4, Duration.ofMinutes(1)))) {
            var to = "127.0.0.1:" + taker.port();
            for (var from : List.of("", "a".repeat(513))) {
                assertThatThrownBy(() -> client.offer(to, from, LIFE, FORMAT, chain(1), SOON)
                                .get())
                        .hasMessageContaining("transfer_address")
                        .hasMessageContaining("1..512");
            }
        }
    }

    @Test
    void anOfferedBlockIsPulledByTheOneItIsOfferedTo() throws Exception {
        fillThere(20);
        try (var taking = new TransferClient(TransferServer::connect, 2);
                var taker = TransferServer.start(
                        "127.0.0.1",
                        0,
                        new TransferService(new Host(here), Optional.of(taking), 4, Duration.ofMinutes(1)))) {
            int held = client.offer("127.0.0.1:" + taker.port(), address(), LIFE, FORMAT, chain(25), SOON)
                    .get();
            assertThat(held).isEqualTo(20);
            assertHeldHere(20);
        }
    }
}
