package dev.kvasir.protocol;

import java.util.Arrays;

/** Block hashes of 128 bits, in order, without an object for each. Immutable. */
public final class HashList {
    /** Most hashes of one message, so that it stays well below the frame of a connection. */
    public static final int MESSAGE_MAX = 16_384;

    public static final HashList EMPTY = new HashList(new long[0]);

    private final long[] halves;

    private HashList(long[] halves) {
        this.halves = halves;
    }

    /** High and low half of each hash in turn; copied. */
    public static HashList ofHalves(long... halves) {
        if (halves.length % 2 != 0) {
            throw new IllegalArgumentException(halves.length + " halves of hashes are not a whole number of hashes");
        }
        return new HashList(halves.clone());
    }

    public int size() {
        return halves.length / 2;
    }

    public long high(int index) {
        return halves[2 * index];
    }

    public long low(int index) {
        return halves[2 * index + 1];
    }

    /** Hashes [from, to). */
    public HashList range(int from, int to) {
        return new HashList(Arrays.copyOfRange(halves, 2 * from, 2 * to));
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof HashList list && Arrays.equals(halves, list.halves);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(halves);
    }

    @Override
    public String toString() {
        return size() + " hashes";
    }

    /** Collects hashes. */
    public static final class Builder {
        private long[] halves = new long[16];
        private int count;

        public Builder add(long high, long low) {
            if (count == halves.length) {
                halves = Arrays.copyOf(halves, count * 2);
            }
            halves[count++] = high;
            halves[count++] = low;
            return this;
        }

        public int size() {
            return count / 2;
        }

        public HashList build() {
            return new HashList(Arrays.copyOf(halves, count));
        }
    }
}
