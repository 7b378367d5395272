package dev.kvasir.bench.simulate;

/** Blocks of a chain, in [from, end), that one member can give. */
record Leg(Link link, int from, int end) {
    int blocks() {
        return end - from;
    }
}
