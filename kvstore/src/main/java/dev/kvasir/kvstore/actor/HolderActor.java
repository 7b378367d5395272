package dev.kvasir.kvstore.actor;

import dev.kvasir.protocol.PrefixCacheProtocol.Holder;
import dev.kvasir.protocol.PrefixCacheProtocol.HolderReply;
import java.time.Duration;
import java.util.List;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Publishes a holder's blocks to the prefix index and renews its leases there. Applies {@link Publication}. */
public final class HolderActor {
    private static final Logger LOG = LoggerFactory.getLogger(HolderActor.class);
    private static final Duration RENEW_EVERY = Duration.ofSeconds(1);

    /** What the actor hears from its own process. */
    public sealed interface Command {}

    /** The feed has something. */
    public record Poll() implements Command {}

    private record Renewal() implements Command {}

    private record Replied(HolderReply reply) implements Command {}

    private final Holder holder;
    private final Publication publication;
    private boolean fenced;

    private HolderActor(Holder holder, Publication publication) {
        this.holder = holder;
        this.publication = publication;
    }

    /** A holder whose pool has the shards named, by range. */
    public static Behavior<Command> create(
            Holder holder, List<String> shardNames, Publication.Owner owner, PrefixCacheShards shards) {
        return Behaviors.setup(context -> Behaviors.withTimers(timers -> {
            timers.startTimerWithFixedDelay(new Renewal(), RENEW_EVERY);
            var replies = context.messageAdapter(HolderReply.class, Replied::new);
            var publication = new Publication(holder, shardNames, owner, shards, replies);
            return new HolderActor(holder, publication).running();
        }));
    }

    private Behavior<Command> running() {
        return Behaviors.receive(Command.class)
                .onAnyMessage(command -> {
                    switch (command) {
                        case Poll _ -> publication.drain();
                        case Renewal _ -> {
                            publication.drain();
                            publication.renew();
                        }
                        case Replied(var reply) -> replied(reply);
                    }
                    return Behaviors.same();
                })
                .onSignal(PostStop.class, _ -> {
                    publication.leave();
                    return Behaviors.same();
                })
                .build();
    }

    private void replied(HolderReply reply) {
        if (!publication.replied(reply) && !fenced) {
            fenced = true;
            LOG.error(
                    "The prefix index knows a later life of {} than {}; this one is not listened to",
                    holder.address(),
                    Long.toHexString(holder.incarnation()));
        }
    }
}
