package dev.kvasir.kvstore.actor;

import java.time.Duration;
import java.util.function.BooleanSupplier;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Says in the log when the last kvstore of the cluster goes and when there is one again. Cluster Sharding says the first many
 * times over, and in terms of its own, so its logger is silenced in {@code logback.xml}.
 */
final class StoresWatch {
    static final Duration EVERY = Duration.ofSeconds(1);

    private static final Logger LOG = LoggerFactory.getLogger(StoresWatch.class);

    /** What it hears. */
    enum Message {
        LOOK
    }

    /** What it knows. */
    private enum Known {
        /** There was none yet: the cluster begins, or has none. */
        NEVER,
        THERE,
        GONE
    }

    private StoresWatch() {}

    /** @param anyone whether a kvstore can be reached now */
    static Behavior<Message> create(BooleanSupplier anyone) {
        return Behaviors.withTimers(timers -> {
            timers.startTimerWithFixedDelay(Message.LOOK, EVERY);
            return watching(anyone, Known.NEVER);
        });
    }

    private static Behavior<Message> watching(BooleanSupplier anyone, Known known) {
        return Behaviors.receiveMessage(_ -> {
            boolean there = anyone.getAsBoolean();
            if (there && known == Known.GONE) {
                LOG.info("A kvstore can be reached again");
            } else if (!there && known == Known.THERE) {
                LOG.warn(
                        "No kvstore can be reached: until one is there, workers compute what others have computed before");
            }
            var absent = known == Known.NEVER ? Known.NEVER : Known.GONE;
            return watching(anyone, there ? Known.THERE : absent);
        });
    }
}
