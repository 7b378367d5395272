package dev.kvasir.worker;

import dev.kvasir.kvstore.actor.HolderActor;
import dev.kvasir.kvstore.actor.Publication;
import dev.kvasir.kvstore.actor.StoreDirectory;
import dev.kvasir.kvstore.shard.BlockFeed;
import dev.kvasir.kvstore.shard.ShardName;
import dev.kvasir.kvstore.tier.BlockFormat;
import dev.kvasir.kvstore.tier.MemoryTier;
import dev.kvasir.kvstore.transfer.TransferClient;
import dev.kvasir.kvstore.transfer.TransferServer;
import dev.kvasir.kvstore.transfer.TransferService;
import dev.kvasir.protocol.PrefixCacheProtocol.Holder;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.worker.engine.CopyShare;
import dev.kvasir.worker.engine.Engine;
import dev.kvasir.worker.engine.EngineCore;
import dev.kvasir.worker.engine.Keeping;
import dev.kvasir.worker.engine.Puller;
import dev.kvasir.worker.engine.SharedBlocks;
import dev.kvasir.worker.kernel.KvLayout;
import dev.kvasir.worker.runner.ModelRunner;
import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A worker's part in the shared prefix cache, wired by hand: copies in host memory, the transfer service, pulls, offers, and
 * the publication of all blocks. The engine's thread owns the blocks; everything else here is off the way of tokens.
 */
final class KvPlane implements Publication.Owner, AutoCloseable {
    /** Copying back so much takes some tens of milliseconds at most. */
    private static final long RESTORED_BYTES_PER_STEP = 128L << 20;

    private static final Logger LOG = LoggerFactory.getLogger(KvPlane.class);

    private final Sharing sharing;
    private final ModelRunner runner;
    private final Holder holder;
    private final String pool;
    private final SharedBlocks blocks;
    private final @Nullable Exchange exchange;
    private volatile @Nullable ActorRef<HolderActor.Command> publisher;
    private volatile @Nullable Engine engine;
    private @Nullable NearPlane near;

    /** What there is with host memory only. */
    private record Exchange(
            MemoryTier tier,
            WorkerBlocks host,
            TransferClient client,
            TransferServer server,
            Pulls pulls,
            Offers offers,
            StoreDirectory stores) {}

    KvPlane(Sharing sharing, WorkerProtocol.Description description, ModelRunner runner) {
        this.sharing = sharing;
        this.runner = runner;
        long blockBytes = runner.blockBytes();
        this.pool = ShardName.pool(description.kvOrigin(), description.kvCacheDtype(), description.blockSize());
        if (sharing.config().memory() < blockBytes) {
            exchange = null;
            blocks = new SharedBlocks(this::wake);
            holder = holder(description, "");
        } else {
            var format = new BlockFormat(
                    description.kvOrigin(),
                    description.kvCacheDtype(),
                    description.blockSize(),
                    KvLayout.VERSION,
                    Math.toIntExact(blockBytes));
            var opened = open(format, description);
            exchange = opened;
            holder = holder(description, sharing.transfer().address(opened.server.port()));
            opened.offers.from(holder);
            var keeping = new Keeping(Math.ceilDiv(sharing.config().longTokens(), description.blockSize()));
            blocks = new SharedBlocks(
                    this::wake,
                    opened.tier,
                    keeping,
                    CopyShare.ofUnproven(runner.onHost(), System::nanoTime),
                    CopyShare.ofReused(System::nanoTime),
                    RESTORED_BYTES_PER_STEP,
                    opened.offers.of(sharing.config()));
            SharingMetrics.register(
                    sharing.registry(), description.model(), blocks, opened.tier, opened.pulls, opened.offers);
        }
    }

    private Exchange open(BlockFormat format, WorkerProtocol.Description description) {
        var config = sharing.config();
        var tier = new MemoryTier(format, config.memory());
        var host = new WorkerBlocks(description.incarnation(), tier);
        var client = new TransferClient(sharing.transfer()::connect, config.transfersMax());
        var service = new TransferService(host, Optional.empty(), config.transfersMax(), config.serveTimeout());
        var server = TransferServer.start(sharing.transfer(), config.transferPort(), service);
        var stores = new StoreDirectory(description.address());
        var pulls = new Pulls(client, format, tier, config);
        return new Exchange(tier, host, client, server, pulls, new Offers(client, format, stores), stores);
    }

    private Holder holder(WorkerProtocol.Description description, String transferAddress) {
        return new Holder(description.address(), description.incarnation(), sharing.bornMillis(), transferAddress);
    }

    SharedBlocks blocks() {
        return blocks;
    }

    Puller puller() {
        return exchange == null || !sharing.config().pull() ? Puller.NONE : exchange.pulls;
    }

    /** Begins to publish and to serve, before the engine's thread is started. */
    void start(ActorContext<?> context, Engine ofBlocks) {
        engine = ofBlocks;
        var with = exchange;
        if (with != null) {
            near = near(with, ofBlocks);
            with.host.start(ofBlocks, near == null ? null : near.lending());
            with.pulls.start(() -> ofBlocks.execute(core -> {}), near == null ? null : near.pulls());
            with.offers.start();
            context.spawn(with.stores.behavior(), "kvstores");
        }
        publisher = context.spawn(
                HolderActor.create(holder, ShardName.all(pool, sharing.shardsPerPool()), this, sharing.shards()),
                "blocks");
    }

    /** Null where neighbours cannot read this device's memory, or are not to. */
    private @Nullable NearPlane near(Exchange with, Engine ofBlocks) {
        if (!sharing.config().devicePull()) {
            return null;
        }
        try {
            var kv = runner.near();
            var timeout = sharing.config().pullTimeout();
            return kv == null
                    ? null
                    : new NearPlane(NearPlane.host(), kv, ofBlocks, with.client, with.tier.format(), timeout);
        } catch (IOException | RuntimeException e) {
            LOG.info("KV blocks go to and come from workers of this host through host memory: {}", e.getMessage());
            return null;
        }
    }

    /**
     * Offers all blocks to kvstores of other members, which take what they want; for a worker that is about to go. Completes
     * with the number of blocks that are kept there, at the latest after the time that settings give it.
     */
    CompletionStage<Integer> handOver() {
        var with = exchange;
        var owner = engine;
        var timeout = sharing.config().handOverTimeout();
        if (with == null
                || owner == null
                || timeout.isZero()
                || with.stores.stores().isEmpty()) {
            return CompletableFuture.completedFuture(0);
        }
        return with.offers.handOver(owner, timeout);
    }

    private void wake() {
        var to = publisher;
        if (to != null) {
            to.tell(new HolderActor.Poll());
        }
    }

    @Override
    public BlockFeed.@Nullable Batch poll() {
        return blocks.poll();
    }

    @Override
    public void tellAnewIfLost() {
        var owner = engine;
        if (owner != null && blocks.hasMore()) {
            owner.execute(EngineCore::flushShared);
        }
    }

    @Override
    public void close() {
        var with = exchange;
        if (with != null) {
            with.offers.close();
            with.server.close();
            if (near != null) {
                near.close();
            }
            with.client.close();
            with.tier.close();
        }
    }
}
