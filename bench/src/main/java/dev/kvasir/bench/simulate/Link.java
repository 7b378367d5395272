package dev.kvasir.bench.simulate;

/** A member's way into the network, and the way out of it: on each, one transfer after the other. */
final class Link {
    private double outFreeAt;
    private double inFreeAt;

    /**
     * Bytes go from here to another member as soon as both are free.
     *
     * @param seconds that they take
     * @return when the first of them goes
     */
    double send(Link to, double nowSeconds, double seconds) {
        double begin = Math.max(nowSeconds, Math.max(outFreeAt, to.inFreeAt));
        outFreeAt = begin + seconds;
        to.inFreeAt = begin + seconds;
        return begin;
    }
}
