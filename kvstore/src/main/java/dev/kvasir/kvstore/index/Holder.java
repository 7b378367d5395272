package dev.kvasir.kvstore.index;

/**
 * One life of a member that holds KV blocks. What a member held dies with its incarnation, so that a restarted one is
 * never credited with its predecessor's blocks.
 *
 * @param address host:port
 * @param incarnation Pekko's UID of the member
 */
public record Holder(String address, long incarnation) implements Comparable<Holder> {
    @Override
    public int compareTo(Holder other) {
        int byAddress = address.compareTo(other.address);
        return byAddress != 0 ? byAddress : Long.compareUnsigned(incarnation, other.incarnation);
    }

    @Override
    public String toString() {
        return address + "#" + Long.toHexString(incarnation);
    }
}
