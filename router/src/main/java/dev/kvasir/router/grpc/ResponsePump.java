package dev.kvasir.router.grpc;

import dev.kvasir.protocol.FailureKind;
import dev.kvasir.router.Failure;
import dev.kvasir.router.Frontend;
import dev.kvasir.router.OutputEvent;
import dev.kvasir.router.OutputEvent.Completed;
import dev.kvasir.router.OutputEvent.Delta;
import dev.kvasir.router.OutputEvent.Failed;
import dev.kvasir.router.OutputEvent.Started;
import dev.kvasir.router.RequestFailedException;
import dev.kvasir.router.ResponseStream;
import dev.kvasir.v1.GenerateResponse;
import io.grpc.stub.ServerCallStreamObserver;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Moves one answer to its client, on a thread of its own and no faster than the client reads. The transport's callbacks
 * only wake it. A client that hangs up, or whose deadline has passed, cancels the request at once.
 */
final class ResponsePump {
    private static final Duration LOOK_UP = Duration.ofSeconds(1);

    private final Frontend frontend;
    private final ServerCallStreamObserver<GenerateResponse> call;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private @Nullable ResponseStream response;
    private boolean hungUp;

    ResponsePump(Frontend frontend, ServerCallStreamObserver<GenerateResponse> call) {
        this.frontend = frontend;
        this.call = call;
        call.setOnReadyHandler(this::wake);
        call.setOnCancelHandler(this::hangUp);
    }

    /** How an answer begins: with a request, or with one that broke off. */
    interface Opening {
        ResponseStream open(Frontend frontend, Optional<Duration> timeout) throws InterruptedException;
    }

    /** Answers the request; returns when that is over. */
    void run(Opening opening, Optional<Duration> timeout) {
        try (var stream = opening.open(frontend, timeout)) {
            if (listen(stream)) {
                pump(stream);
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            fail(GrpcErrors.of(Failure.of(FailureKind.UNAVAILABLE, "this router is stopping")));
        } catch (RuntimeException e) {
            fail(GrpcErrors.of(e));
        }
    }

    private void pump(ResponseStream stream) throws InterruptedException {
        var responses = new ProtoResponses(stream.request(), frontend.decisions());
        for (boolean more = true; more; ) {
            var event = stream.take(LOOK_UP);
            if (event.isPresent()) {
                send(event.get(), responses);
                more = !event.get().isLast();
            }
        }
    }

    private void send(OutputEvent event, ProtoResponses responses) throws InterruptedException {
        switch (event) {
            case Started started -> next(responses.started(started));
            case Delta delta -> next(responses.delta(delta));
            case Completed(var usage) -> {
                next(responses.completed(usage));
                call.onCompleted();
            }
            case OutputEvent.Replayed _ -> {}
            case Failed(var failure) -> fail(GrpcErrors.of(failure));
        }
    }

    private void next(GenerateResponse message) throws InterruptedException {
        awaitReady();
        call.onNext(message);
    }

    private void awaitReady() throws InterruptedException {
        var patience = frontend.config().slowReaderTimeout();
        long nanos = patience.toNanos();
        lock.lockInterruptibly();
        try {
            while (!call.isReady() && !hungUp) {
                if (nanos <= 0) {
                    throw new RequestFailedException(
                            FailureKind.CANCELLED,
                            "the response was read too slowly: nothing was read for %d ms"
                                    .formatted(patience.toMillis()));
                }
                nanos = changed.awaitNanos(nanos);
            }
        } finally {
            lock.unlock();
        }
    }

    /** False where the client is gone already. */
    private boolean listen(ResponseStream stream) {
        lock.lock();
        try {
            response = stream;
            return !hungUp;
        } finally {
            lock.unlock();
        }
    }

    private void wake() {
        lock.lock();
        try {
            changed.signal();
        } finally {
            lock.unlock();
        }
    }

    private void hangUp() {
        ResponseStream stream;
        lock.lock();
        try {
            hungUp = true;
            stream = response;
            changed.signal();
        } finally {
            lock.unlock();
        }
        if (stream != null) {
            stream.cancel();
        }
    }

    private void fail(Throwable status) {
        if (!call.isCancelled()) {
            call.onError(status);
        }
    }
}
