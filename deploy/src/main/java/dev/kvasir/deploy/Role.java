package dev.kvasir.deploy;

import java.util.Locale;

/** What a member of the cluster does; a Pekko cluster role of the same name. */
public enum Role {
    /** Front doors, placement and token streams. */
    ROUTER,
    /** An engine with a model. */
    WORKER,
    /** Shards of the prefix index, and copies of KV blocks that outlive their workers. */
    KVSTORE;

    /** As it is written in settings. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    static Role parse(String text) {
        return switch (text.strip().toLowerCase(Locale.ROOT)) {
            case "router" -> ROUTER;
            case "worker" -> WORKER;
            case "kvstore" -> KVSTORE;
            default ->
                throw new ConfigurationException(
                        "kvasir.roles names '%s' but roles are router, worker and kvstore".formatted(text));
        };
    }
}
