package dev.kvasir.kvstore.actor;

import dev.kvasir.kvstore.shard.IndexShard;
import dev.kvasir.protocol.PrefixCacheProtocol.Command;
import dev.kvasir.protocol.PrefixCacheProtocol.Contents;
import dev.kvasir.protocol.PrefixCacheProtocol.Follow;
import dev.kvasir.protocol.PrefixCacheProtocol.HolderReply;
import dev.kvasir.protocol.PrefixCacheProtocol.Leave;
import dev.kvasir.protocol.PrefixCacheProtocol.Publish;
import dev.kvasir.protocol.PrefixCacheProtocol.Renew;
import dev.kvasir.protocol.PrefixCacheProtocol.Update;
import java.time.Duration;
import java.util.HashSet;
import java.util.Set;
import java.util.function.LongSupplier;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.Terminated;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/** A shard of the prefix index, which lives in one place of the cluster at a time. Applies {@link IndexShard}. */
final class PrefixCacheActor {
    private static final Duration TICK = Duration.ofMillis(500);

    private sealed interface Message {}

    private record Wire(Command command) implements Message {}

    private record Tick() implements Message {}

    private final ActorContext<Message> context;
    private final IndexShard<ActorRef<HolderReply>, ActorRef<Update>> shard;
    private final Set<ActorRef<Update>> watched = new HashSet<>();
    private final LongSupplier clock;

    private PrefixCacheActor(
            ActorContext<Message> context, String name, long life, IndexShard.Limits limits, LongSupplier clock) {
        this.context = context;
        this.clock = clock;
        this.shard = new IndexShard<>(name, life, limits, new IndexShard.Outbox<>() {
            @Override
            public void toHolder(ActorRef<HolderReply> to, HolderReply reply) {
                to.tell(reply);
            }

            @Override
            public void toFollower(ActorRef<Update> to, Update update) {
                to.tell(update);
            }
        });
    }

    /**
     * A shard that knows nothing yet.
     *
     * @param life unlike that of any shard of this name before
     * @param clock nanoseconds, monotonic
     */
    static Behavior<Command> create(String name, long life, IndexShard.Limits limits, LongSupplier clock) {
        Behavior<Message> behavior = Behaviors.setup(context -> Behaviors.withTimers(timers -> {
            timers.startTimerWithFixedDelay(new Tick(), TICK);
            return new PrefixCacheActor(context, name, life, limits, clock).running();
        }));
        return Behaviors.transformMessages(Command.class, behavior, builder -> builder.match(Command.class, Wire::new));
    }

    private Behavior<Message> running() {
        return Behaviors.receive(Message.class)
                .onAnyMessage(message -> {
                    switch (message) {
                        case Wire(var command) -> handle(command, clock.getAsLong());
                        case Tick _ -> tick(clock.getAsLong());
                    }
                    return Behaviors.same();
                })
                .onSignal(Terminated.class, gone -> {
                    ActorRef<Update> follower = gone.getRef().unsafeUpcast();
                    watched.remove(follower);
                    shard.unfollow(follower);
                    return Behaviors.same();
                })
                .build();
    }

    private void handle(Command command, long now) {
        switch (command) {
            case Publish(var holder, var first, var changes, var replyTo) ->
                shard.publish(holder, first, changes, replyTo, now);
            case Contents(var holder, var sequence, var part, var parts, var blocks, var replyTo) ->
                shard.contents(holder, sequence, part, parts, blocks, replyTo, now);
            case Renew(var holder, var sequence, var replyTo) -> shard.renew(holder, sequence, replyTo, now);
            case Leave(var holder) -> shard.leave(holder);
            case Follow(var life, var known, var replyTo) -> {
                shard.follow(life, known, replyTo, now);
                if (shard.isFollowedBy(replyTo) && watched.add(replyTo)) {
                    context.watch(replyTo);
                }
            }
        }
    }

    private void tick(long now) {
        shard.tick(now);
        watched.removeIf(follower -> {
            boolean gone = !shard.isFollowedBy(follower);
            if (gone) {
                context.unwatch(follower);
            }
            return gone;
        });
    }
}
