package dev.kvasir.deploy;

import com.typesafe.config.Config;
import java.time.Duration;
import java.util.List;

/**
 * Section {@code kvasir.cluster} of the configuration, read once at start.
 *
 * @param host address that other members reach this one at
 * @param port 0 for any free one
 * @param bindHost address to listen on, where that is another; empty for {@code host}
 * @param bindPort port to listen on, where that is another; 0 for {@code port}
 * @param join members to join, as host:port; none forms a cluster of its own
 * @param joinTimeout after which a member that could not join gives up
 * @param lease how long routers and workers may be silent towards each other
 */
public record ClusterConfig(
        String host, int port, String bindHost, int bindPort, List<String> join, Duration joinTimeout, Duration lease) {
    public ClusterConfig {
        join = List.copyOf(join);
        check("host", host, !host.isBlank(), "a host name or address");
        check("port", port, port >= 0 && port <= 65535, "0..65535");
        check("bind-port", bindPort, bindPort >= 0 && bindPort <= 65535, "0..65535");
        check("bind-port", bindPort, bindPort == 0 || port > 0, "0 where kvasir.cluster.port is 0");
        for (var member : join) {
            check("join", "'" + member + "'", isMember(member), "host:port with a port in 1..65535");
        }
        check("join-timeout", joinTimeout, joinTimeout.toMillis() >= 1, "at least 1 ms");
        check("lease", lease, lease.toMillis() >= 20, "at least 20 ms");
    }

    static ClusterConfig from(Config section) {
        return new ClusterConfig(
                section.getString("host"),
                section.getInt("port"),
                section.getString("bind-host").strip(),
                section.getInt("bind-port"),
                Settings.words(section, "join"),
                section.getDuration("join-timeout"),
                section.getDuration("lease"));
    }

    /** Address that this member listens on. */
    public String listenHost() {
        return bindHost.isEmpty() ? host : bindHost;
    }

    private static boolean isMember(String text) {
        int colon = text.lastIndexOf(':');
        if (colon < 1 || !text.substring(colon + 1).matches("[0-9]{1,5}")) {
            return false;
        }
        int port = Integer.parseInt(text.substring(colon + 1));
        return port >= 1 && port <= 65535;
    }

    private static void check(String key, Object value, boolean holds, String allowed) {
        if (!holds) {
            throw new IllegalArgumentException("kvasir.cluster.%s is %s but must be %s".formatted(key, value, allowed));
        }
    }
}
