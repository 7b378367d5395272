package dev.kvasir.router.grpc;

import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import org.jspecify.annotations.Nullable;

/** Refuses calls of other machines where the configuration does not let them in, and those with a tenant's key. */
final class OperatorsOnly implements ServerInterceptor {
    private final boolean remote;

    /** @param remote whether other machines are let in */
    OperatorsOnly(boolean remote) {
        this.remote = remote;
    }

    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(
            ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
        if (!Callers.current().isOperator()) {
            call.close(
                    Status.PERMISSION_DENIED.withDescription("%s is answered to keys that are no tenant's"
                            .formatted(call.getMethodDescriptor().getFullMethodName())),
                    new Metadata());
            return new ServerCall.Listener<>() {};
        }
        if (allowed(call.getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR))) {
            return next.startCall(call, headers);
        }
        call.close(
                Status.PERMISSION_DENIED.withDescription(
                        "%s is answered to clients on the router's machine only; kvasir.router.remote-admin lets others in"
                                .formatted(call.getMethodDescriptor().getFullMethodName())),
                new Metadata());
        return new ServerCall.Listener<>() {};
    }

    boolean allowed(@Nullable SocketAddress from) {
        return remote
                || (from instanceof InetSocketAddress address
                        && address.getAddress() != null
                        && address.getAddress().isLoopbackAddress());
    }
}
