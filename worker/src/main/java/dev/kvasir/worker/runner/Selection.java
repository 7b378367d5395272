package dev.kvasir.worker.runner;

import java.util.Arrays;

/**
 * Finds the best of many tokens without sorting them all. A token is a {@code long} key whose natural order is the order
 * of preference: larger logit first, then lower id; no two are equal.
 */
final class Selection {
    private static final int SORTED_BELOW = 32;

    private Selection() {}

    static long key(float logit, int id) {
        int bits = Float.floatToRawIntBits(logit + 0f); // + 0 makes -0 and 0 one value.
        int ordered = bits ^ ((bits >> 31) & Integer.MAX_VALUE);
        return (long) ~ordered << 32 | id;
    }

    static int id(long key) {
        return (int) key;
    }

    /** Moves the {@code count} best of {@code keys[0, size)} to the front, in no particular order (quickselect). */
    static void bestFirst(long[] keys, int size, int count) {
        int low = 0;
        int high = size;
        while (low < count && count < high) {
            if (high - low <= SORTED_BELOW) {
                Arrays.sort(keys, low, high);
                return;
            }
            int middle = partition(keys, low, high);
            if (count < middle) {
                high = middle;
            } else {
                low = middle;
            }
        }
    }

    /**
     * Moves to the front the fewest best of {@code keys[0, size)} whose weights sum to {@code mass} or more: a token stays
     * if those before it do not reach {@code mass}.
     *
     * @param weights by token id
     * @return how many
     */
    static int bestOfMass(long[] keys, int size, float[] weights, double mass) {
        int low = 0;
        int high = size;
        double before = 0; // Of keys[0, low); always less than mass.
        while (high - low > SORTED_BELOW) {
            int middle = partition(keys, low, high);
            double left = before;
            for (int i = low; i < middle; i++) {
                left += weights[id(keys[i])];
            }
            if (left >= mass) {
                high = middle;
            } else {
                before = left;
                low = middle;
            }
        }
        Arrays.sort(keys, low, high);
        int kept = low;
        while (kept < high && before < mass) {
            before += weights[id(keys[kept++])];
        }
        return kept;
    }

    /** Splits [low, high), three keys or more, into two parts that are not empty, all of the left better (Hoare). */
    private static int partition(long[] keys, int low, int high) {
        long pivot = median(keys[low], keys[(low + high) >>> 1], keys[high - 1]);
        int i = low - 1;
        int j = high;
        while (true) {
            do {
                i++;
            } while (keys[i] < pivot);
            do {
                j--;
            } while (keys[j] > pivot);
            if (i >= j) {
                return j + 1;
            }
            long key = keys[i];
            keys[i] = keys[j];
            keys[j] = key;
        }
    }

    private static long median(long a, long b, long c) {
        return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
    }
}
