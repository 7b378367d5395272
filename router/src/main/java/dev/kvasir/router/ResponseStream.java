package dev.kvasir.router;

import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.router.OutputEvent.Delta;
import dev.kvasir.router.OutputEvent.Finish;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The answer to one request on its way from its actor to its door. The actor publishes and never waits; the door takes,
 * on a thread of its own, until an event says that it is the last. While the door is slow, deltas of one output grow
 * together, so the buffer holds at most one per output; how many tokens wait in it is for the actor to watch.
 *
 * <p>The door closes it when done, however it is done: closing before the last event cancels the request.
 */
public final class ResponseStream implements AutoCloseable {
    private final ValidRequest request;
    private final Runnable onClose;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final Deque<Waiting> waiting = new ArrayDeque<>();
    private int waitingTokens;
    private long waitingSinceNanos;
    private boolean ended;
    private boolean closed;
    private boolean cancelled;
    private @Nullable Runnable onCancel;

    /** @param onClose run once, when the door is done */
    ResponseStream(ValidRequest request, Runnable onClose) {
        this.request = request;
        this.onClose = onClose;
    }

    public ValidRequest request() {
        return request;
    }

    /** The next event; empty where none came in time. Not to be called after an event that is the last. */
    public Optional<OutputEvent> take(Duration timeout) throws InterruptedException {
        long nanos = timeout.toNanos();
        lock.lockInterruptibly();
        try {
            while (waiting.isEmpty()) {
                if (nanos <= 0) {
                    return Optional.empty();
                }
                nanos = changed.awaitNanos(nanos);
            }
            return Optional.of(next());
        } finally {
            lock.unlock();
        }
    }

    /** Gives the request up. What has been published may still be taken, and a last event comes. */
    public void cancel() {
        Runnable action;
        lock.lock();
        try {
            action = ended || cancelled ? null : onCancel;
            cancelled = true;
        } finally {
            lock.unlock();
        }
        if (action != null) {
            action.run();
        }
    }

    @Override
    public void close() {
        cancel();
        lock.lock();
        try {
            if (closed) {
                return;
            }
            closed = true;
            waiting.clear();
            waitingTokens = 0;
        } finally {
            lock.unlock();
        }
        onClose.run();
    }

    /** What cancelling does; done at once where the door was quicker. */
    void onCancel(Runnable action) {
        boolean now;
        lock.lock();
        try {
            onCancel = action;
            now = cancelled;
        } finally {
            lock.unlock();
        }
        if (now) {
            action.run();
        }
    }

    /** Adds an event; without effect after the last. */
    void publish(OutputEvent event) {
        lock.lock();
        try {
            if (ended || closed) {
                return;
            }
            ended = event.isLast();
            if (waiting.isEmpty()) {
                waitingSinceNanos = System.nanoTime();
            }
            add(event);
            changed.signal();
        } finally {
            lock.unlock();
        }
    }

    /** Ends the answer at once; what had not been taken is dropped. */
    void cut(Failure failure) {
        lock.lock();
        try {
            if (!ended) {
                waiting.clear();
                waitingTokens = 0;
            }
        } finally {
            lock.unlock();
        }
        publish(new OutputEvent.Failed(failure));
    }

    int waitingTokens() {
        lock.lock();
        try {
            return waitingTokens;
        } finally {
            lock.unlock();
        }
    }

    /** For how long the door has taken nothing although there was something. */
    Duration waitingFor() {
        lock.lock();
        try {
            return waiting.isEmpty() ? Duration.ZERO : Duration.ofNanos(System.nanoTime() - waitingSinceNanos);
        } finally {
            lock.unlock();
        }
    }

    private void add(OutputEvent event) {
        if (!(event instanceof Delta delta)) {
            waiting.addLast(new Whole(event));
            return;
        }
        waitingTokens += delta.tokens().size();
        for (var other : waiting) {
            if (other instanceof Growing growing && growing.outputIndex == delta.outputIndex()) {
                growing.grow(delta);
                return;
            }
        }
        waiting.addLast(new Growing(delta));
    }

    private OutputEvent next() {
        waitingSinceNanos = System.nanoTime();
        return switch (waiting.removeFirst()) {
            case Growing growing -> {
                waitingTokens -= growing.tokens.size();
                yield growing.delta();
            }
            case Whole(var event) -> event;
        };
    }

    private sealed interface Waiting {}

    private record Whole(OutputEvent event) implements Waiting {}

    /** Deltas of one output grown together while they wait. */
    private static final class Growing implements Waiting {
        private final int outputIndex;
        private final int firstTokenIndex;
        private final StringBuilder text;
        private final List<ScoredToken> tokens;
        private @Nullable Finish finish;

        Growing(Delta delta) {
            outputIndex = delta.outputIndex();
            firstTokenIndex = delta.firstTokenIndex();
            text = new StringBuilder(delta.text());
            tokens = new ArrayList<>(delta.tokens());
            finish = delta.finish();
        }

        void grow(Delta delta) {
            text.append(delta.text());
            tokens.addAll(delta.tokens());
            finish = delta.finish();
        }

        Delta delta() {
            return new Delta(outputIndex, firstTokenIndex, text.toString(), tokens, finish);
        }
    }
}
