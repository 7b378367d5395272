package dev.kvasir.router.placement;

import dev.kvasir.kvstore.index.Holder;

/**
 * One life of a worker: the address alone would credit a restarted worker with its predecessor's state.
 *
 * @param address host:port
 */
public record WorkerId(String address, long incarnation) implements Comparable<WorkerId> {
    /** The same as holder of blocks. */
    public Holder holder() {
        return new Holder(address, incarnation);
    }

    @Override
    public int compareTo(WorkerId other) {
        int byAddress = address.compareTo(other.address);
        return byAddress != 0 ? byAddress : Long.compareUnsigned(incarnation, other.incarnation);
    }

    @Override
    public String toString() {
        return address + "#" + Long.toHexString(incarnation);
    }
}
