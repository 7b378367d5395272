package dev.kvasir.client;

import java.nio.file.Path;
import java.util.Optional;

/**
 * How routers are spoken to.
 *
 * @param apiKey shown with each call
 * @param tls whether their doors speak TLS
 * @param authority certificates in PEM to believe in; empty for those of the JVM
 */
public record ConnectionOptions(Optional<String> apiKey, boolean tls, Optional<Path> authority) {
    /** In plain text, without a key. */
    public static ConnectionOptions plain() {
        return new ConnectionOptions(Optional.empty(), false, Optional.empty());
    }

    /** The same with a key. */
    public ConnectionOptions withApiKey(String key) {
        return new ConnectionOptions(Optional.of(key), tls, authority);
    }

    /** The same over TLS. */
    public ConnectionOptions withTls(Optional<Path> believed) {
        return new ConnectionOptions(apiKey, true, believed);
    }

    /** Without the key, which belongs into no log. */
    @Override
    public String toString() {
        return "ConnectionOptions[%s, %s]"
                .formatted(apiKey.isPresent() ? "with a key" : "no key", tls ? "TLS" : "plain");
    }
}
