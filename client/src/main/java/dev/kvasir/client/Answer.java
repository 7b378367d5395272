package dev.kvasir.client;

import dev.kvasir.v1.GenerateResponse;
import dev.kvasir.v1.InferenceGrpc;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.concurrent.CancellationException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The responses to one request, each token once, in order, whatever becomes of routers and connections meanwhile: a stream
 * that breaks off is resumed at the next router, and where no worker knows the request any more it is sent anew and what
 * comes again is left out. {@link #next} waits. Not for several threads at a time; {@link #close} may come from any.
 */
public final class Answer implements Iterator<GenerateResponse>, AutoCloseable {
    private static final long PAUSE_FIRST_MILLIS = 50;
    private static final long PAUSE_MAX_MILLIS = 1000;

    /** How a stream of the request begins at a router. */
    interface Opening {
        Iterator<GenerateResponse> open(InferenceGrpc.InferenceBlockingStub router);
    }

    private final Routers routers;
    private final Opening request;
    private final Deadline deadline;
    private final int attemptsMax;
    private final Received received = new Received();
    private volatile boolean closed;
    private volatile Context.@Nullable CancellableContext call;
    private Routers.Turn turn;
    private @Nullable Iterator<GenerateResponse> stream;
    private @Nullable GenerateResponse next;
    private boolean forgotten;
    private int failuresInARow;

    Answer(Routers routers, Opening request, Deadline deadline, int attemptsMax) {
        this.routers = routers;
        this.turn = routers.current();
        this.request = request;
        this.deadline = deadline;
        this.attemptsMax = attemptsMax;
    }

    /**
     * Waits for the next response.
     *
     * @throws StatusRuntimeException where the request failed for good
     */
    @Override
    public boolean hasNext() {
        while (next == null && !received.complete()) {
            if (closed) {
                throw new CancellationException("the answer was closed");
            }
            try {
                advance();
            } catch (StatusRuntimeException e) {
                lost(e);
            }
        }
        return next != null;
    }

    @Override
    public GenerateResponse next() {
        if (!hasNext()) {
            throw new NoSuchElementException("the answer is complete");
        }
        var response = next;
        next = null;
        if (response == null) {
            throw new NoSuchElementException("the answer is complete");
        }
        return response;
    }

    private void advance() {
        var current = stream;
        if (current == null) {
            current = open();
            stream = current;
        }
        if (!current.hasNext()) {
            throw Status.UNAVAILABLE
                    .withDescription("the stream ended before the answer was complete")
                    .asRuntimeException();
        }
        var response = current.next();
        failuresInARow = 0;
        next = received.take(response).orElse(null);
    }

    private Iterator<GenerateResponse> open() {
        var context = Context.current().withCancellation();
        call = context;
        if (closed) {
            context.cancel(null);
        }
        turn = routers.current();
        var router = turn.router().withDeadline(deadline);
        boolean resume = received.begun() && !forgotten;
        if (resume) {
            received.goesOn();
        } else {
            received.beginsAnew();
        }
        var before = context.attach();
        try {
            return resume ? router.resume(received.resumption()) : request.open(router);
        } finally {
            context.detach(before);
        }
    }

    /** Decides whether to go on after a failure; throws it where that is of no use. */
    private void lost(StatusRuntimeException failure) {
        stream = null;
        endCall();
        if (closed) {
            throw failure;
        }
        switch (failure.getStatus().getCode()) {
            case NOT_FOUND -> {
                if (!received.begun() || forgotten) {
                    throw failure;
                }
                forgotten = true;
            }
            case UNAVAILABLE -> routers.avoid(turn);
            case CANCELLED -> {} // By the server: it thought the reader too slow. What was missed can be had.
            default -> throw failure;
        }
        if (++failuresInARow > attemptsMax || deadline.isExpired()) {
            throw failure;
        }
        pause();
    }

    private void pause() {
        long millis = Math.min(PAUSE_MAX_MILLIS, PAUSE_FIRST_MILLIS << Math.min(10, failuresInARow - 1));
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(
                Math.min(millis, Math.max(0, deadline.timeRemaining(TimeUnit.MILLISECONDS)))));
    }

    private void endCall() {
        var context = call;
        call = null;
        if (context != null) {
            context.cancel(null);
        }
    }

    /** Gives the rest of the answer up. */
    @Override
    public void close() {
        closed = true;
        endCall();
    }
}
