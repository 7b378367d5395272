package dev.kvasir.kvstore.store;

import dev.kvasir.kvstore.KvStoreConfig;
import dev.kvasir.kvstore.actor.HolderActor;
import dev.kvasir.kvstore.actor.PrefixCacheShards;
import dev.kvasir.kvstore.shard.ShardName;
import dev.kvasir.kvstore.tier.BlockFile;
import dev.kvasir.kvstore.transfer.TransferClient;
import dev.kvasir.kvstore.transfer.TransferServer;
import dev.kvasir.kvstore.transfer.TransferService;
import dev.kvasir.kvstore.transfer.TransferSettings;
import dev.kvasir.protocol.PrefixCacheProtocol;
import dev.kvasir.protocol.PrefixCacheProtocol.Holder;
import dev.kvasir.protocol.PrefixCacheProtocol.Introduce;
import dev.kvasir.protocol.PrefixCacheProtocol.Introduced;
import dev.kvasir.protocol.PrefixCacheProtocol.StoreCommand;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.receptionist.Receptionist;

/**
 * The kvstore of a member: takes blocks that workers offer, gives them to those who pull, and publishes what it has. Owns
 * memory, disk files and the port of its transfer service.
 */
public final class KvStore {
    private static final Duration POLL_EVERY = Duration.ofMillis(100);

    private sealed interface Message {}

    private record Wire(StoreCommand command) implements Message {}

    private record Added(Pool pool) implements Message {}

    private record Removed(Pool pool) implements Message {}

    private record Poll() implements Message {}

    /**
     * Who and where a kvstore is.
     *
     * @param address host:port of the member
     * @param bornMillis when this life of it began
     * @param transfer where its transfer service is
     * @param folder for files of the disk tier
     */
    public record Place(String address, long incarnation, long bornMillis, TransferSettings transfer, Path folder) {}

    private final ActorContext<Message> context;
    private final KvStoreConfig config;
    private final PrefixCacheShards shards;
    private final Store store;
    private final TransferClient client;
    private final TransferServer server;
    private final Holder holder;
    private final Map<Pool, ActorRef<HolderActor.Command>> publishers = new HashMap<>();

    private KvStore(
            ActorContext<Message> context,
            KvStoreConfig config,
            Place place,
            PrefixCacheShards shards,
            PrometheusRegistry registry) {
        this.context = context;
        this.config = config;
        this.shards = shards;
        var self = context.getSelf();
        this.store = new Store(
                place.incarnation(),
                config,
                place.folder(),
                BlockFile::open,
                System::nanoTime,
                pool -> self.tell(new Added(pool)),
                pool -> self.tell(new Removed(pool)));
        this.client = new TransferClient(place.transfer()::connect, config.transfersMax());
        var service = new TransferService(store, Optional.of(client), config.transfersMax(), config.serveTimeout());
        this.server = TransferServer.start(place.transfer(), config.transferPort(), service);
        this.holder = Holder.ofStore(
                place.address(),
                place.incarnation(),
                place.bornMillis(),
                place.transfer().address(server.port()));
        KvStoreMetrics.register(registry, store, client);
        store.start();
    }

    /** A kvstore, to be spawned once per actor system. */
    public static Behavior<StoreCommand> create(
            KvStoreConfig config, Place place, PrefixCacheShards shards, PrometheusRegistry registry) {
        Behavior<Message> behavior = Behaviors.setup(context -> Behaviors.withTimers(timers -> {
            timers.startTimerWithFixedDelay(new Poll(), POLL_EVERY);
            var kvstore = new KvStore(context, config, place, shards, registry);
            ActorRef<StoreCommand> door =
                    context.getSelf().<Object>unsafeUpcast().narrow();
            context.getSystem().receptionist().tell(Receptionist.register(PrefixCacheProtocol.STORES, door));
            context.getLog().info("kvstore {}; blocks at {}", kvstore.holder, kvstore.holder.transferAddress());
            return kvstore.running();
        }));
        return Behaviors.transformMessages(
                StoreCommand.class, behavior, builder -> builder.match(StoreCommand.class, Wire::new));
    }

    private Behavior<Message> running() {
        return Behaviors.receive(Message.class)
                .onAnyMessage(message -> {
                    switch (message) {
                        case Wire(Introduce(var replyTo)) -> replyTo.tell(new Introduced(holder));
                        case Added(var pool) -> publish(pool);
                        case Removed(var pool) -> withdraw(pool);
                        case Poll _ -> publishers.values().forEach(publisher -> publisher.tell(new HolderActor.Poll()));
                    }
                    return Behaviors.same();
                })
                .onSignal(PostStop.class, _ -> {
                    server.close();
                    client.close();
                    store.close();
                    return Behaviors.same();
                })
                .build();
    }

    private void publish(Pool pool) {
        var names = ShardName.all(pool.name(), config.indexShards());
        publishers.put(pool, context.spawnAnonymous(HolderActor.create(holder, names, pool, shards)));
    }

    private void withdraw(Pool pool) {
        var publisher = publishers.remove(pool);
        if (publisher != null) {
            context.stop(publisher);
        }
    }
}
