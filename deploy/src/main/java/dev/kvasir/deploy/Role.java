package dev.kvasir.deploy;

import java.util.Locale;

/** What a member of the cluster does; a Pekko cluster role of the same name. */
public enum Role {
    /** Front doors, placement and token streams. */
    ROUTER,
    /** An engine with a model. */
    WORKER;

    /** As it is written in settings. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    static Role parse(String text) {
        return switch (text.strip().toLowerCase(Locale.ROOT)) {
            case "router" -> ROUTER;
            case "worker" -> WORKER;
            case "kvstore" ->
                throw new ConfigurationException(
                        "kvasir.roles names kvstore, which this version does not have yet: each worker"
                                + " keeps its own prefix cache; roles are router and worker");
            default ->
                throw new ConfigurationException(
                        "kvasir.roles names '%s' but roles are router and worker".formatted(text));
        };
    }
}
