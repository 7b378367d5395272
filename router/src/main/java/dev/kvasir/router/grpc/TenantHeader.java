package dev.kvasir.router.grpc;

import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import org.jspecify.annotations.Nullable;

/** Reads the tenant of a call from its metadata, where a gateway can set it without knowing the messages. */
final class TenantHeader implements ServerInterceptor {
    static final Metadata.Key<String> KEY = Metadata.Key.of("x-kvasir-tenant", Metadata.ASCII_STRING_MARSHALLER);

    private static final Context.Key<String> TENANT = Context.key("kvasir-tenant");

    /** Of the call at hand; null where it names none. */
    static @Nullable String current() {
        return TENANT.get();
    }

    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(
            ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
        var tenant = headers.get(KEY);
        return tenant == null
                ? next.startCall(call, headers)
                : Contexts.interceptCall(Context.current().withValue(TENANT, tenant), call, headers, next);
    }
}
