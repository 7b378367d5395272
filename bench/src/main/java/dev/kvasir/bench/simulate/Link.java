package dev.kvasir.bench.simulate;

/** A member's way into the network, and the ways out of it: on each, one transfer after the other. */
final class Link {
    private final double[] outFreeAt;
    private double inFreeAt;

    /** With so many ways out, of which a transfer takes the one that is free first. */
    Link(int ways) {
        outFreeAt = new double[ways];
    }

    /**
     * Bytes go from here to another member as soon as there is a way.
     *
     * @param seconds that they take
     * @return when the first of them goes
     */
    double send(Link to, double nowSeconds, double seconds) {
        int first = 0;
        for (int way = 1; way < outFreeAt.length; way++) {
            first = outFreeAt[way] < outFreeAt[first] ? way : first;
        }
        double begin = Math.max(nowSeconds, Math.max(outFreeAt[first], to.inFreeAt));
        outFreeAt[first] = begin + seconds;
        to.inFreeAt = begin + seconds;
        return begin;
    }
}
