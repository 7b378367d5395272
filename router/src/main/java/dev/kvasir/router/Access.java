package dev.kvasir.router;

import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.tls.Certificates;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Decides for both doors who comes in, and for whom a request is. For any number of threads. */
public final class Access {
    private static final String BEARER = "Bearer ";

    private final List<ApiKey> keys;
    private final Optional<KeyFile> file;
    private final Optional<Certificates> certificates;

    private final Set<String> allowedOrigins;

    private Access(
            List<ApiKey> keys,
            Optional<KeyFile> file,
            Optional<Certificates> certificates,
            Set<String> allowedOrigins) {
        this.keys = keys;
        this.file = file;
        this.certificates = certificates;
        this.allowedOrigins = allowedOrigins;
    }

    /** Reads the files that the settings name. */
    public static Access of(AccessConfig config) {
        return new Access(
                config.keys(),
                config.keyFile().map(KeyFile::open),
                config.tls().map(Certificates::open),
                config.allowedOrigins());
    }

    /**
     * Who sent a request.
     *
     * @param tenant for whom it is; empty where nobody is named
     * @param shownKey whether a key says so, rather than a header that anybody can set
     */
    public record Caller(String tenant, boolean shownKey) {
        /** Requests that this one may go on with: its own, where a key says whose they are. */
        public Optional<String> ownTenant() {
            return shownKey ? Optional.of(tenant) : Optional.empty();
        }

        /** A key of a tenant is for requests alone; the cluster's affairs are for keys without. */
        public boolean isOperator() {
            return !shownKey || tenant.isEmpty();
        }
    }

    /** Whether requests need a key. */
    public boolean needsKey() {
        return !keys.isEmpty() || file.isPresent();
    }

    /** The doors' certificates; empty for plain text. */
    public Optional<Certificates> certificates() {
        return certificates;
    }

    /** Origins whose web pages may ask from a browser; {@code *} is any. */
    public Set<String> allowedOrigins() {
        return allowedOrigins;
    }

    /**
     * Lets a request in.
     *
     * @param authorization header of that name; null where there is none
     * @param tenant what a header says that the request is for; believed where there are no keys
     * @throws RequestFailedException where no key, or one that is not known, is shown
     */
    public Caller admit(@Nullable String authorization, @Nullable String tenant) {
        if (!needsKey()) {
            return new Caller(tenant == null ? "" : tenant, false);
        }
        if (authorization == null) {
            throw refused("header Authorization is missing but must be 'Bearer KEY'");
        }
        if (!authorization.regionMatches(true, 0, BEARER, 0, BEARER.length())) {
            throw refused("header Authorization is of another kind but must be 'Bearer KEY'");
        }
        var shown = ApiKey.digest(authorization.substring(BEARER.length()).strip());
        var own = find(keys, shown);
        var filed = find(file.map(KeyFile::keys).orElse(List.of()), shown);
        var found = own != null ? own : filed;
        if (found == null) {
            throw refused("the API key is not known");
        }
        return new Caller(found.tenant(), true);
    }

    /** Looks at all of them, so that the time it takes says nothing. */
    private static @Nullable ApiKey find(List<ApiKey> keys, byte[] shown) {
        @Nullable ApiKey found = null;
        for (var key : keys) {
            if (key.is(shown)) {
                found = key;
            }
        }
        return found;
    }

    private static RequestFailedException refused(String why) {
        return new RequestFailedException(Failure.of(FailureKind.UNAUTHENTICATED, why));
    }
}
