package dev.kvasir.kvstore.index;

/** Where in a holder a block lies; workers use the first two, kvstores the last two. */
public enum Tier {
    /** The KV pool that attention reads. */
    DEVICE(1),
    /** Memory of the host. */
    HOST(2),
    DISK(4);

    private final int bit;

    Tier(int bit) {
        this.bit = bit;
    }

    /** In a set of tiers. */
    public int bit() {
        return bit;
    }
}
