package dev.kvasir.deploy;

import com.typesafe.config.Config;

/**
 * Section {@code kvasir.status} of the configuration, read once at start.
 *
 * @param host address to listen on
 * @param port 0 for any free one
 */
public record StatusConfig(String host, int port) {
    public StatusConfig {
        if (host.isBlank()) {
            throw new IllegalArgumentException(
                    "kvasir.status.host is '" + host + "' but must be a host name or address");
        }
        if (port < 0 || port > 65535) {
            throw new IllegalArgumentException("kvasir.status.port is " + port + " but must be 0..65535");
        }
    }

    static StatusConfig from(Config section) {
        return new StatusConfig(section.getString("host"), section.getInt("port"));
    }
}
