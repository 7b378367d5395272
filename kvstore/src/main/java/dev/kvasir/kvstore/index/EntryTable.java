package dev.kvasir.kvstore.index;

import java.util.Arrays;

/**
 * Hash table from block hash to entry: open addressing over primitive arrays, entries numbered so that others may refer to
 * them. Grows up to its capacity and never shrinks.
 *
 * <pre>
 * slots     entry number + 1, or 0; twice to four times as many as entries
 * entries   hash (16 bytes), parent, first posting, holder count, count of holders that have it in DEVICE
 * </pre>
 */
final class EntryTable {
    static final int NONE = -1;
    private static final int INITIAL = 64;

    private final int capacity;
    private int[] slots;
    private long[] high;
    private long[] low;
    private int[] parent;
    private int[] posting;
    private char[] holders;
    private char[] deviceHolders;
    private int used;
    private int firstFree = NONE;
    private int size;

    EntryTable(int capacity) {
        this.capacity = capacity;
        int initial = Math.min(INITIAL, capacity);
        high = new long[initial];
        low = new long[initial];
        parent = new int[initial];
        posting = new int[initial];
        holders = new char[initial];
        deviceHolders = new char[initial];
        slots = new int[slotsFor(initial)];
    }

    int size() {
        return size;
    }

    int room() {
        return capacity - size;
    }

    double roomShare() {
        return (double) room() / capacity;
    }

    long bytes() {
        return 4L * slots.length + high.length * (8L + 8 + 4 + 4 + 2 + 2);
    }

    int find(long hashHigh, long hashLow) {
        int mask = slots.length - 1;
        for (int slot = home(hashHigh, hashLow, mask); ; slot = (slot + 1) & mask) {
            int entry = slots[slot] - 1;
            if (entry < 0) {
                return NONE;
            }
            if (low[entry] == hashLow && high[entry] == hashHigh) {
                return entry;
            }
        }
    }

    /** A new entry, without parent and postings; the caller knows that there is room and that the hash is not there. */
    int add(long hashHigh, long hashLow) {
        int entry = firstFree;
        if (entry != NONE) {
            firstFree = parent[entry];
        } else {
            entry = used++;
            if (entry == high.length) {
                grow();
            }
        }
        high[entry] = hashHigh;
        low[entry] = hashLow;
        parent[entry] = NONE;
        posting[entry] = NONE;
        holders[entry] = 0;
        deviceHolders[entry] = 0;
        size++;
        place(entry);
        return entry;
    }

    void remove(int entry) {
        int mask = slots.length - 1;
        int hole = home(high[entry], low[entry], mask);
        while (slots[hole] != entry + 1) {
            hole = (hole + 1) & mask;
        }
        // Entries after the hole that may not lie behind an empty slot move up.
        for (int slot = (hole + 1) & mask; slots[slot] != 0; slot = (slot + 1) & mask) {
            int other = slots[slot] - 1;
            int distance = (slot - home(high[other], low[other], mask)) & mask;
            if (distance >= ((slot - hole) & mask)) {
                slots[hole] = other + 1;
                hole = slot;
            }
        }
        slots[hole] = 0;
        parent[entry] = firstFree;
        firstFree = entry;
        size--;
    }

    int parent(int entry) {
        return parent[entry];
    }

    void setParent(int entry, int value) {
        parent[entry] = value;
    }

    int posting(int entry) {
        return posting[entry];
    }

    void setPosting(int entry, int value) {
        posting[entry] = value;
    }

    /** Holders that have the block, in {@code DEVICE} or in any tier. */
    int holders(int entry, boolean device) {
        return device ? deviceHolders[entry] : holders[entry];
    }

    void addHolders(int entry, boolean device, int change) {
        if (device) {
            deviceHolders[entry] += (char) change;
        } else {
            holders[entry] += (char) change;
        }
    }

    private void place(int entry) {
        int mask = slots.length - 1;
        int slot = home(high[entry], low[entry], mask);
        while (slots[slot] != 0) {
            slot = (slot + 1) & mask;
        }
        slots[slot] = entry + 1;
    }

    private void grow() {
        int length = (int) Math.min(capacity, high.length + (high.length >> 1) + 1L);
        high = Arrays.copyOf(high, length);
        low = Arrays.copyOf(low, length);
        parent = Arrays.copyOf(parent, length);
        posting = Arrays.copyOf(posting, length);
        holders = Arrays.copyOf(holders, length);
        deviceHolders = Arrays.copyOf(deviceHolders, length);
        if (slotsFor(length) > slots.length) {
            slots = new int[slotsFor(length)];
            // Arrays grow only when no entry is free; the last one used is the one being added.
            for (int entry = 0; entry < used - 1; entry++) {
                place(entry);
            }
        }
    }

    private static int slotsFor(int entries) {
        return Integer.highestOneBit(Math.max(1, entries - 1)) << 2;
    }

    private static int home(long high, long low, int mask) {
        long mixed = (high ^ low) * 0x9e3779b97f4a7c15L;
        return (int) (mixed >>> 32) & mask;
    }
}
