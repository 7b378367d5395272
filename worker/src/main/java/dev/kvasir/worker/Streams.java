package dev.kvasir.worker;

import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.StreamEvent;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.worker.engine.ActiveRequest;
import dev.kvasir.worker.engine.Engine;
import dev.kvasir.worker.engine.StreamSink;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.javadsl.ActorContext;

/**
 * The requests at hand and the actors that hear of them, which are watched as long as there are any. Belongs to the worker
 * actor; the sinks it makes are called by the engine's thread.
 */
final class Streams {
    private static final long NANOS_PER_MILLI = 1_000_000;

    private record Stream(ActiveRequest request, ActorRef<StreamEvent> listener) {}

    private final ActorContext<?> context;
    private final Engine engine;
    private final Consumer<RequestId> ended;
    private final Map<RequestId, Stream> streams = new HashMap<>();
    private final Map<ActorRef<?>, Set<RequestId>> byListener = new HashMap<>();

    /** @param ended told by the engine's thread when a request has left it */
    Streams(ActorContext<?> context, Engine engine, Consumer<RequestId> ended) {
        this.context = context;
        this.engine = engine;
        this.ended = ended;
    }

    int size() {
        return streams.size();
    }

    boolean contains(RequestId id) {
        return streams.containsKey(id);
    }

    void open(WorkerProtocol.Generate generate, long nowNanos) {
        var request = generate.request();
        var listener = generate.replyTo();
        var active =
                new ActiveRequest(request, deadline(generate.deadlineMillis(), nowNanos), sink(request.id(), listener));
        streams.put(request.id(), new Stream(active, listener));
        byListener
                .computeIfAbsent(listener, _ -> {
                    context.watch(listener);
                    return new HashSet<>();
                })
                .add(request.id());
        engine.submit(active);
    }

    private static long deadline(long millis, long nowNanos) {
        if (millis <= 0 || millis > Long.MAX_VALUE / NANOS_PER_MILLI / 2) {
            return ActiveRequest.NO_DEADLINE;
        }
        return nowNanos + millis * NANOS_PER_MILLI;
    }

    private StreamSink sink(RequestId id, ActorRef<StreamEvent> listener) {
        return new StreamSink() {
            @Override
            public void publish(StreamEvent event) {
                listener.tell(event);
            }

            @Override
            public void ended() {
                ended.accept(id);
            }
        };
    }

    void cancel(WorkerProtocol.Cancel cancel) {
        var stream = streams.get(cancel.requestId());
        if (stream == null) {
            return;
        }
        if (cancel.outputIndex().isPresent()) {
            stream.request().cancelOutput(cancel.outputIndex().getAsInt());
        } else {
            stream.request().cancel();
        }
    }

    /** A listener has terminated: nobody wants its answers. */
    void gone(ActorRef<?> listener) {
        for (var id : byListener.getOrDefault(listener, Set.of())) {
            var stream = streams.get(id);
            if (stream != null) {
                stream.request().cancel();
            }
        }
    }

    void ended(RequestId id) {
        var stream = streams.remove(id);
        if (stream == null) {
            return;
        }
        var others = byListener.get(stream.listener());
        if (others != null && others.remove(id) && others.isEmpty()) {
            byListener.remove(stream.listener());
            context.unwatch(stream.listener());
        }
    }
}
