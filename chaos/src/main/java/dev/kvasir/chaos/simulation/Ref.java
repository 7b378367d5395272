package dev.kvasir.chaos.simulation;

import java.util.function.Consumer;
import org.apache.pekko.actor.ActorPath;
import org.apache.pekko.actor.typed.ActorRef;

/**
 * Stands for an actor of one life, so that the cluster's own messages can be used: what is told goes over the network from
 * the life whose code runs.
 */
final class Ref<T> implements ActorRef<T> {
    private static final long serialVersionUID = 1;

    private final transient World world;
    private final transient Life owner;
    private final transient Consumer<T> handler;

    Ref(World world, Life owner, Consumer<T> handler) {
        this.world = world;
        this.owner = owner;
        this.handler = handler;
    }

    /** Whose actor it is. */
    static Life owner(ActorRef<?> of) {
        if (of instanceof Ref<?> ref) {
            return ref.owner;
        }
        throw new IllegalArgumentException(of + " is no actor of these members");
    }

    @Override
    public void tell(T message) {
        world.network().send(world.timeline().acting(), owner, message, () -> handler.accept(message));
    }

    @Override
    @SuppressWarnings("unchecked") // As with every actor reference: the caller knows.
    public <U extends T> ActorRef<U> narrow() {
        return (ActorRef<U>) this;
    }

    @Override
    @SuppressWarnings("unchecked") // As with every actor reference: the caller knows.
    public <U> ActorRef<U> unsafeUpcast() {
        return (ActorRef<U>) this;
    }

    @Override
    public ActorPath path() {
        throw new UnsupportedOperationException("there are no paths here");
    }

    @Override
    public int compareTo(ActorRef<?> other) {
        return Integer.compare(hashCode(), other.hashCode());
    }

    @Override
    public String toString() {
        return "actor of " + owner;
    }
}
