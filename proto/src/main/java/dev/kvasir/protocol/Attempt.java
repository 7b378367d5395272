package dev.kvasir.protocol;

/**
 * Numbers of the attempts to answer one request. A higher one always wins: placing again counts by one, and resuming the
 * stream at another router outweighs whatever the router before may still do.
 */
public final class Attempt {
    public static final long FIRST = 1;
    private static final int PLACEMENT_BITS = 20;

    private Attempt() {}

    /** The same stream, placed again. */
    public static long placedAgain(long attempt) {
        return attempt + 1;
    }

    /** Another stream of the same request. */
    public static long resumed(long attempt) {
        return (((attempt >> PLACEMENT_BITS) + 1) << PLACEMENT_BITS) + FIRST;
    }
}
