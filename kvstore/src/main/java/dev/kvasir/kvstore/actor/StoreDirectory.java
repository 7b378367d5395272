package dev.kvasir.kvstore.actor;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.index.Keeper;
import dev.kvasir.protocol.PrefixCacheProtocol;
import dev.kvasir.protocol.PrefixCacheProtocol.Holder;
import dev.kvasir.protocol.PrefixCacheProtocol.Introduce;
import dev.kvasir.protocol.PrefixCacheProtocol.Introduced;
import dev.kvasir.protocol.PrefixCacheProtocol.StoreCommand;
import java.time.Duration;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.receptionist.Receptionist;
import org.jspecify.annotations.Nullable;

/** The kvstores of other members that can be reached now. An actor keeps it; any thread may ask. */
public final class StoreDirectory {
    private static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(3);

    /** What the actor hears. */
    public sealed interface Message {}

    private record Listed(Receptionist.Listing listing) implements Message {}

    private record Answered(
            ActorRef<StoreCommand> store,
            @Nullable Introduced introduced,
            @Nullable Throwable failure) implements Message {}

    private final String ownAddress;
    private volatile List<Holder> stores = List.of();

    /** Without kvstores until its actor runs; one at {@code ownAddress} would go with this member. */
    public StoreDirectory(String ownAddress) {
        this.ownAddress = ownAddress;
    }

    /** The actor that keeps the directory; to be spawned once. */
    public Behavior<Message> behavior() {
        return Behaviors.setup(context -> {
            var listings = context.messageAdapter(Receptionist.Listing.class, Listed::new);
            context.getSystem().receptionist().tell(Receptionist.subscribe(PrefixCacheProtocol.STORES, listings));
            return running(context, new HashMap<>());
        });
    }

    private Behavior<Message> running(
            ActorContext<Message> context, Map<ActorRef<StoreCommand>, Optional<Holder>> known) {
        return Behaviors.receiveMessage(message -> {
            switch (message) {
                case Listed(var listing) -> {
                    var reachable = listing.getServiceInstances(PrefixCacheProtocol.STORES);
                    known.keySet().retainAll(reachable);
                    reachable.stream()
                            .filter(store -> known.putIfAbsent(store, Optional.empty()) == null)
                            .forEach(store -> ask(context, store));
                }
                case Answered(var store, var introduced, var failure) -> {
                    if (introduced != null && known.containsKey(store)) {
                        known.put(store, Optional.of(introduced.holder()));
                    } else if (known.containsKey(store)) {
                        context.getLog().debug("kvstore {} did not answer, asking again", store, failure);
                        ask(context, store);
                    }
                }
            }
            stores = known.values().stream()
                    .flatMap(Optional::stream)
                    .filter(holder -> !holder.isStoreOf(ownAddress))
                    .sorted(Comparator.comparing(Holder::address))
                    .toList();
            return Behaviors.same();
        });
    }

    private static void ask(ActorContext<Message> context, ActorRef<StoreCommand> store) {
        context.ask(
                Introduced.class,
                store,
                ANSWER_TIMEOUT,
                Introduce::new,
                (introduced, failure) -> new Answered(store, introduced, failure));
    }

    /** All that can be reached. */
    public List<Holder> stores() {
        return stores;
    }

    /** The one that blocks of a place go to, see {@link Keeper}. */
    public Optional<Holder> keeper(BlockHash place) {
        return keeper(place, stores);
    }

    /** The same, of the kvstores given. */
    public static Optional<Holder> keeper(BlockHash place, Collection<Holder> stores) {
        return Keeper.of(place, stores, Holder::address);
    }
}
