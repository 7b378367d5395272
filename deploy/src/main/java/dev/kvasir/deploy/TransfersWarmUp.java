package dev.kvasir.deploy;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.tier.BlockFormat;
import dev.kvasir.kvstore.tier.Checksum;
import dev.kvasir.kvstore.tier.MemoryTier;
import dev.kvasir.kvstore.tier.StoredBlock;
import dev.kvasir.kvstore.transfer.BlockHost;
import dev.kvasir.kvstore.transfer.NearCalls;
import dev.kvasir.kvstore.transfer.TransferClient;
import dev.kvasir.kvstore.transfer.TransferServer;
import dev.kvasir.kvstore.transfer.TransferService;
import dev.kvasir.kvstore.transfer.TransferSettings;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lets the JVM load and compile what pulls of KV blocks need, before the first one comes, which a prompt waits for: made-up
 * blocks go from one piece of memory to another through a server and a client like those of the member, with TLS where the
 * cluster has it. Runs beside the start of the member, a bounded time, on a daemon thread. What goes wrong here harms nobody.
 */
final class TransfersWarmUp {
    private static final Logger LOG = LoggerFactory.getLogger(TransfersWarmUp.class);
    private static final BlockFormat FORMAT = new BlockFormat("warm-up", "bf16", 16, 1, 16 << 10);
    private static final int BLOCKS = 100;
    private static final int ROUNDS = 50;
    private static final int TRANSFERS_MAX = 4;
    private static final long INCARNATION = 1;
    private static final Duration TIMEOUT = Duration.ofSeconds(2);

    private final TransferSettings settings;
    private final List<BlockHash> chain =
            IntStream.range(0, BLOCKS).mapToObj(i -> new BlockHash(i, ~i)).toList();

    private TransfersWarmUp(TransferSettings settings) {
        this.settings = settings;
    }

    /** Begins, and returns at once. */
    static void begin(TransferSettings settings) {
        Thread.ofPlatform().daemon().name("kvasir-warm-up-transfers").start(() -> {
            try {
                int blocks = run(settings);
                LOG.debug("{} blocks were pulled to warm up", blocks);
            } catch (RuntimeException e) {
                LOG.debug("Transfers were not warmed up", e);
            } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
            }
        });
    }

    /** Pulls blocks in rounds, as many as the time allows, and says how many blocks that were. */
    static int run(TransferSettings settings) throws InterruptedException {
        return new TransfersWarmUp(settings).run();
    }

    private int run() throws InterruptedException {
        var blocks = new Blocks(tier());
        var service = new TransferService(blocks, Optional.empty(), TRANSFERS_MAX, TIMEOUT);
        try (var source = blocks.tier;
                var server = TransferServer.start(settings, 0, service);
                var client = new TransferClient(settings::connect, TRANSFERS_MAX)) {
            fill(source);
            var address = settings.address(server.port());
            long start = System.nanoTime();
            int pulled = 0;
            for (int i = 0; i < ROUNDS && System.nanoTime() - start < TIMEOUT.toNanos(); i++) {
                pulled += pull(client, address);
                askForMemory(client, address);
            }
            return pulled;
        }
    }

    private static MemoryTier tier() {
        return new MemoryTier(FORMAT, (long) BLOCKS * FORMAT.blockBytes());
    }

    private void fill(MemoryTier tier) {
        for (int i = 0; i < BLOCKS; i++) {
            var slot = tier.reserve();
            if (slot == null) {
                throw new IllegalStateException("no room for block %d of %d".formatted(i, BLOCKS));
            }
            slot.bytes().fill((byte) i);
            var parent = i == 0 ? null : chain.get(i - 1);
            slot.publish(new StoredBlock(chain.get(i), chain.getFirst(), parent, i, Checksum.of(slot.bytes())));
        }
    }

    private int pull(TransferClient client, String address) throws InterruptedException {
        try (var target = tier()) {
            var transfer = client.pull(address, INCARNATION, FORMAT, chain, false, target, TIMEOUT);
            if (transfer == null) {
                throw new IllegalStateException("transfers do not end");
            }
            transfer.end().join();
            return transfer.received();
        }
    }

    /** What workers of one host ask each other first; there is no device here, so the answer is a refusal. */
    private static void askForMemory(TransferClient client, String address) throws InterruptedException {
        try (var attachment = new NearCalls(client, FORMAT, "").attach(address, INCARNATION, TIMEOUT)) {
            throw new IllegalStateException("memory of no device lies at " + attachment.memory());
        } catch (StatusRuntimeException _) {
            // As it has to be.
        }
    }

    private record Blocks(MemoryTier tier) implements BlockHost {
        @Override
        public long incarnation() {
            return INCARNATION;
        }

        @Override
        public @Nullable MemoryTier tier(BlockFormat format) {
            return format.equals(FORMAT) ? tier : null;
        }

        @Override
        public void bring(BlockFormat format, List<BlockHash> hashes) {}
    }
}
