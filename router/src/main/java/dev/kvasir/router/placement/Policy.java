package dev.kvasir.router.placement;

import dev.kvasir.router.placement.PricedCost.Prices;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** The routing policies, by the names that settings and flags use. */
public enum Policy {
    COST("cost"),
    ROUND_ROBIN("round-robin"),
    LEAST_LOADED("least-loaded"),
    BOUNDED_HASH("bounded-hash"),
    LONGEST_PREFIX("longest-prefix"),
    PREFIX_THRESHOLD("prefix-threshold");

    private final String title;

    Policy(String title) {
        this.title = title;
    }

    public static Optional<Policy> of(String title) {
        return Arrays.stream(values()).filter(p -> p.title.equals(title)).findFirst();
    }

    public static List<String> titles() {
        return Arrays.stream(values()).map(p -> p.title).toList();
    }

    public String title() {
        return title;
    }

    /** A policy for one router to use. */
    public Placement create() {
        return switch (this) {
            case COST -> new PricedCost(Prices.DEFAULT);
            case ROUND_ROBIN -> new RoundRobin();
            case LEAST_LOADED -> new LeastLoaded();
            case BOUNDED_HASH -> new BoundedHash();
            case LONGEST_PREFIX -> new LongestPrefix();
            case PREFIX_THRESHOLD -> new PrefixThreshold();
        };
    }
}
