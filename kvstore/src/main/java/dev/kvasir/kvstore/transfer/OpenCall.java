package dev.kvasir.kvstore.transfer;

import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** A call that answers once and then lasts: its end, from either side, is what tells. Thread-safe. */
final class OpenCall<A> implements AutoCloseable {
    private final ClientCall<?, A> call;
    private final CompletableFuture<A> answer = new CompletableFuture<>();
    private final CompletableFuture<Status> end = new CompletableFuture<>();

    private OpenCall(ClientCall<?, A> call) {
        this.call = call;
    }

    static <Q, A> OpenCall<A> begin(ClientCall<Q, A> call, Q request) {
        var open = new OpenCall<A>(call);
        call.start(
                new ClientCall.Listener<>() {
                    @Override
                    public void onMessage(A message) {
                        open.answer.complete(message);
                    }

                    @Override
                    public void onClose(Status status, Metadata trailers) {
                        open.answer.completeExceptionally(status.asRuntimeException());
                        open.end.complete(status);
                    }
                },
                new Metadata());
        call.request(2);
        call.sendMessage(request);
        call.halfClose();
        return open;
    }

    /** Waits for the answer. */
    A answer(Duration timeout) throws InterruptedException {
        try {
            return answer.get(timeout.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw Status.DEADLINE_EXCEEDED
                    .withDescription("no answer in %d ms".formatted(timeout.toMillis()))
                    .withCause(e)
                    .asRuntimeException();
        } catch (ExecutionException e) {
            throw e.getCause() instanceof StatusRuntimeException refusal
                    ? refusal
                    : Status.fromThrowable(e).asRuntimeException();
        }
    }

    boolean isOpen() {
        return !end.isDone();
    }

    void whenEnded(Runnable action) {
        var _ = end.thenRun(action);
    }

    /** Ends it from this side. */
    @Override
    public void close() {
        call.cancel("done", null);
    }
}
