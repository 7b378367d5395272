package dev.kvasir.router.grpc;

import dev.kvasir.protocol.FailureKind;
import dev.kvasir.router.Failure;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.StatusRuntimeException;

/**
 * Answers messages that are not what they should be, such as text that is not UTF-8, with INVALID_ARGUMENT, and
 * accidents in a handler with INTERNAL and an id. Without it, both would be UNKNOWN.
 */
final class BadMessages implements ServerInterceptor {
    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(
            ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
        return new SimpleForwardingServerCallListener<>(next.startCall(call, headers)) {
            private boolean closed;

            @Override
            public void onMessage(Q message) {
                try {
                    super.onMessage(message);
                } catch (StatusRuntimeException e) {
                    close(GrpcErrors.of(
                            Failure.of(FailureKind.INVALID_ARGUMENT, "the message is not valid: " + reason(e))));
                }
            }

            @Override
            public void onHalfClose() {
                if (closed) {
                    return;
                }
                try {
                    super.onHalfClose();
                } catch (RuntimeException e) {
                    close(GrpcErrors.of(e));
                }
            }

            private void close(StatusRuntimeException answer) {
                closed = true;
                var trailers = answer.getTrailers();
                call.close(answer.getStatus(), trailers == null ? new Metadata() : trailers);
            }
        };
    }

    private static String reason(StatusRuntimeException e) {
        var cause = e.getStatus().getCause();
        return cause == null ? String.valueOf(e.getStatus().getDescription()) : String.valueOf(cause.getMessage());
    }
}
