package dev.kvasir.worker;

import com.google.protobuf.ByteString;
import dev.kvasir.protocol.Delivery;
import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.GenerationRequest;
import dev.kvasir.protocol.KvSource;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.StreamEvent;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.worker.engine.ActiveRequest;
import dev.kvasir.worker.engine.StreamSink;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/**
 * A request at this worker: all that was said about it, who listens, and the run in the engine, if one is under way. The
 * engine's thread adds what it generates, the worker's actor changes the listener; a lock makes either see the whole of what
 * the other did, so that a new listener hears everything exactly once and in order.
 */
final class HeldRequest {
    private final GenerationRequest request;
    private final ByteString origin;
    private final List<KvSource> sources;
    private final Transcript transcript;
    private final Consumer<HeldRequest> ended;
    private final ReentrantLock lock = new ReentrantLock();
    private long attempt;
    private String router;
    private @Nullable ActorRef<Delivery> listener;
    private @Nullable Run run;
    private boolean released;
    private boolean quiet;
    private long quietSinceNanos;

    /** One stay in the engine. What a run says after another has taken its place is not heard. */
    private final class Run implements StreamSink {
        private final ActiveRequest active;

        Run(long deadlineNanos, long runAttempt) {
            this.active = new ActiveRequest(request, transcript.continuation(runAttempt), deadlineNanos, this, sources);
        }

        @Override
        public void publish(StreamEvent event) {
            published(this, event);
        }

        @Override
        public void ended() {
            runEnded(this);
        }
    }

    /** @param ended told by the engine's thread when the run at hand has left the engine */
    HeldRequest(WorkerProtocol.Generate generate, Consumer<HeldRequest> ended) {
        this.request = generate.request();
        this.origin = generate.origin();
        this.sources = generate.sources();
        this.transcript = new Transcript(request, generate.continuation());
        this.ended = ended;
        this.attempt = generate.continuation().attempt();
        this.router = generate.router();
        this.listener = generate.replyTo();
    }

    RequestId id() {
        return request.id();
    }

    long attempt() {
        return attempt;
    }

    String router() {
        return router;
    }

    /** Whether the engine works on it, and somebody wants it to. */
    boolean running() {
        lock.lock();
        try {
            return run != null && listener != null;
        } finally {
            lock.unlock();
        }
    }

    /** Whether it is in the engine, wanted or not. */
    boolean inEngine() {
        lock.lock();
        try {
            return run != null;
        } finally {
            lock.unlock();
        }
    }

    /** Its router is done with it. */
    void release() {
        released = true;
    }

    /** Nothing is under way any more. */
    void quietSince(long nowNanos) {
        quiet = true;
        quietSinceNanos = nowNanos;
    }

    /** Whether its router went without a word so lately that somebody may still come for it. */
    boolean awaited(long waitNanos, long nowNanos) {
        return !released && !inEngine() && worthKeeping() && (!quiet || nowNanos - quietSinceNanos < waitNanos);
    }

    /** Whether there is anything that could be resumed. */
    boolean worthKeeping() {
        lock.lock();
        try {
            return !transcript.isEmpty();
        } finally {
            lock.unlock();
        }
    }

    long bytes() {
        lock.lock();
        try {
            return transcript.bytes() + origin.size();
        } finally {
            lock.unlock();
        }
    }

    WorkerProtocol.Knowledge knowledge() {
        lock.lock();
        try {
            return new WorkerProtocol.Knowledge(attempt, request, origin, transcript.complete());
        } finally {
            lock.unlock();
        }
    }

    /** What the engine is to run from here on; null where nothing is left to do. Takes the place of any run at hand. */
    @Nullable
    ActiveRequest goOn(long deadlineNanos) {
        lock.lock();
        try {
            detach();
            if (transcript.ended()) {
                return null;
            }
            transcript.goOn();
            run = new Run(deadlineNanos, attempt);
            return run.active;
        } finally {
            lock.unlock();
        }
    }

    /** Ends the run at hand, in the engine's own time; what was said stays. */
    void park() {
        lock.lock();
        try {
            listener = null;
            if (run != null) {
                run.active.cancel();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Makes the router look for another worker; nothing is said after that. */
    void handBack(String why) {
        lock.lock();
        try {
            say(new StreamEvent.Failed(id(), FailureKind.UNAVAILABLE, why, 0));
            park();
        } finally {
            lock.unlock();
        }
    }

    /** Another attempt has taken the place of this one. */
    void supersede() {
        lock.lock();
        try {
            if (listener != null) {
                listener.tell(new Delivery.Superseded(id(), attempt));
            }
            listener = null;
            detach();
        } finally {
            lock.unlock();
        }
    }

    void dropOutput(int output) {
        lock.lock();
        try {
            if (output < request.sampling().n()) {
                transcript.drop(output);
                if (run != null) {
                    run.active.cancelOutput(output);
                }
            }
        } finally {
            lock.unlock();
        }
    }

    /** Tells a listener, new or not, what came after the positions. */
    void tellAgain(ActorRef<Delivery> to, long incarnation, List<Integer> next, boolean withoutPrompt) {
        lock.lock();
        try {
            listener = to;
            say(new StreamEvent.Accepted(id(), incarnation));
            transcript.since(next, withoutPrompt).forEach(this::say);
        } finally {
            lock.unlock();
        }
    }

    /** The stream is another router's from now on; the caller then tells it everything. */
    void claimed(long newAttempt, String newRouter) {
        lock.lock();
        try {
            if (listener != null && newAttempt > attempt) { // Not where the claim only came twice.
                listener.tell(new Delivery.Superseded(id(), attempt));
            }
            listener = null;
            attempt = newAttempt;
            router = newRouter;
            released = false;
            quiet = false;
        } finally {
            lock.unlock();
        }
    }

    /** Whether the run at hand was told to stop, or there is none. */
    boolean stopped() {
        lock.lock();
        try {
            return run == null || run.active.isCancelled();
        } finally {
            lock.unlock();
        }
    }

    private void published(Run by, StreamEvent event) {
        lock.lock();
        try {
            if (run == by) {
                transcript.add(event);
                say(event);
            }
        } finally {
            lock.unlock();
        }
    }

    private void runEnded(Run which) {
        boolean current;
        lock.lock();
        try {
            current = run == which;
            if (current) {
                run = null;
            }
        } finally {
            lock.unlock();
        }
        if (current) {
            ended.accept(this);
        }
    }

    private void detach() {
        if (run != null) {
            run.active.cancel();
            run = null;
        }
    }

    private void say(StreamEvent event) {
        if (listener != null) {
            listener.tell(new Delivery.Event(attempt, event));
        }
    }
}
