package dev.kvasir.worker;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.tier.BlockFormat;
import dev.kvasir.kvstore.tier.MemoryTier;
import dev.kvasir.kvstore.transfer.BlockHost;
import dev.kvasir.kvstore.transfer.NearBlocks;
import dev.kvasir.worker.engine.Engine;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * A worker's blocks for its transfer service: those in host memory, and those of the device once the engine's thread has
 * copied them there, between two steps; and, for workers of the same host, those of the device where they are.
 */
final class WorkerBlocks implements BlockHost {
    /** A long step of a slow device, with room. */
    private static final long STEP_MILLIS_MAX = 3_000;

    private final long incarnation;
    private final MemoryTier tier;
    private volatile @Nullable Engine engine;
    private volatile @Nullable NearBlocks near;

    WorkerBlocks(long incarnation, MemoryTier tier) {
        this.incarnation = incarnation;
        this.tier = tier;
    }

    void start(Engine ofBlocks, @Nullable NearBlocks lending) {
        near = lending;
        engine = ofBlocks;
    }

    @Override
    public long incarnation() {
        return incarnation;
    }

    @Override
    public @Nullable MemoryTier tier(BlockFormat format) {
        return format.equals(tier.format()) ? tier : null;
    }

    @Override
    public @Nullable NearBlocks near(BlockFormat format) {
        return format.equals(tier.format()) ? near : null;
    }

    @Override
    public void bring(BlockFormat format, List<BlockHash> hashes) throws InterruptedException {
        var lacking = hashes.stream().filter(hash -> !tier.contains(hash)).toList();
        var owner = engine;
        if (lacking.isEmpty() || owner == null) {
            return;
        }
        var done = new CompletableFuture<Void>();
        boolean taken = owner.execute(core -> {
            core.shared().export(lacking);
            done.complete(null);
        });
        if (taken) {
            try {
                done.get(STEP_MILLIS_MAX, TimeUnit.MILLISECONDS);
            } catch (TimeoutException | ExecutionException _) {
                // What is there until then is sent.
            }
        }
    }
}
