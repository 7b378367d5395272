package dev.kvasir.router.grpc;

import dev.kvasir.router.Access;
import dev.kvasir.router.RequestFailedException;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import java.util.Objects;

/** Finds out who calls, from the call's metadata; calls of those who may not come in are refused. */
final class Callers implements ServerInterceptor {
    /** For whom a call is, where a gateway says so and no keys are asked for. */
    static final Metadata.Key<String> TENANT = Metadata.Key.of("x-kvasir-tenant", Metadata.ASCII_STRING_MARSHALLER);

    static final Metadata.Key<String> AUTHORIZATION =
            Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

    private static final Context.Key<Access.Caller> CALLER = Context.key("kvasir-caller");

    private final Access access;

    Callers(Access access) {
        this.access = access;
    }

    /** Of the call at hand. */
    static Access.Caller current() {
        return Objects.requireNonNull(CALLER.get(), "a call outside of the door");
    }

    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(
            ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
        try {
            var caller = access.admit(headers.get(AUTHORIZATION), headers.get(TENANT));
            return Contexts.interceptCall(Context.current().withValue(CALLER, caller), call, headers, next);
        } catch (RequestFailedException e) {
            var refusal = GrpcErrors.of(e.failure());
            call.close(refusal.getStatus(), Objects.requireNonNullElseGet(refusal.getTrailers(), Metadata::new));
            return new ServerCall.Listener<>() {};
        }
    }
}
