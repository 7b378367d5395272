package dev.kvasir.worker.runner;

import java.util.Arrays;

/**
 * The distinct tokens of one sequence and how often each occurs in its output. Owns a hash table that grows with the
 * number of distinct tokens, never with the vocabulary; {@link #id} and {@link #count} list them in order of first
 * sight.
 */
final class TokenCounts {
    private static final int EMPTY = -1;
    private static final int FIRST_CAPACITY = 16;

    private int[] ids = new int[FIRST_CAPACITY];
    private int[] counts = new int[FIRST_CAPACITY];
    /** Open addressing over indexes into {@code ids}; at least twice as long, a power of two. */
    private int[] table = emptyTable(2 * FIRST_CAPACITY);

    private int size;

    int size() {
        return size;
    }

    int id(int index) {
        return ids[index];
    }

    /** Occurrences in the output; 0 for a token that only the prompt has. */
    int count(int index) {
        return counts[index];
    }

    /** Adds {@code occurrences}, which may be 0, to a token's count. */
    void add(int token, int occurrences) {
        int slot = slot(token);
        if (table[slot] == EMPTY) {
            if (size == ids.length) {
                grow();
                slot = slot(token);
            }
            ids[size] = token;
            counts[size] = 0;
            table[slot] = size++;
        }
        counts[table[slot]] += occurrences;
    }

    private int slot(int token) {
        int mask = table.length - 1;
        int slot = ((token * 0x9E3779B9) >>> 15) & mask;
        while (table[slot] != EMPTY && ids[table[slot]] != token) {
            slot = (slot + 1) & mask;
        }
        return slot;
    }

    private void grow() {
        ids = Arrays.copyOf(ids, 2 * size);
        counts = Arrays.copyOf(counts, 2 * size);
        table = emptyTable(4 * size);
        for (int index = 0; index < size; index++) {
            table[slot(ids[index])] = index;
        }
    }

    private static int[] emptyTable(int length) {
        var table = new int[length];
        Arrays.fill(table, EMPTY);
        return table;
    }
}
