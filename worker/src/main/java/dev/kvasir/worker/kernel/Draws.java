package dev.kvasir.worker.kernel;

import java.util.Arrays;

/**
 * Rows of logits that tokens are drawn from by chance, and how: flat lists, as a device reads them. Allocated once and
 * refilled for each step.
 *
 * <pre>
 * requests   [count][16]   row, 1 / temperature, top-k, top-p, min-p, greedy, number in [0, 1) (2 words),
 *                          from which entry on: biases, ends, penalties, and their end (4),
 *                          penalties: repetition, frequency, presence, and a word that is not used
 * ids        [entries]     tokens whose logits change, each at most once in each of a request's three lists
 * values     [entries]     a bias (the bits of a float), nothing, or how often the token occurs in the output
 * </pre>
 */
public final class Draws {
    public static final int WORDS = 16;

    private static final int UNIFORM = 6;
    private static final int LISTS = 8;
    private static final int PENALTIES = 12;

    private final int[] requests;
    private final int[] ids;
    private final int[] values;
    private int count;
    private int entries;

    public Draws(int requestsMax, int entriesMax) {
        requests = new int[requestsMax * WORDS];
        ids = new int[entriesMax];
        values = new int[entriesMax];
    }

    public void clear() {
        count = 0;
        entries = 0;
    }

    /** Whether there is room for one more request with so many entries. */
    public boolean hasRoom(int more) {
        return (count + 1) * WORDS <= requests.length && more <= ids.length - entries;
    }

    /** Adds a request; its entries follow, biases first. A temperature of 0 is greedy. */
    public void add(int row, float temperature, int topK, float topP, float minP, double uniform) {
        int at = count++ * WORDS;
        Arrays.fill(requests, at, at + WORDS, 0);
        requests[at] = row;
        requests[at + 1] = bits(temperature == 0 ? 1 : Math.min(1 / temperature, Float.MAX_VALUE));
        requests[at + 2] = topK;
        requests[at + 3] = bits(topP);
        requests[at + 4] = bits(minP);
        requests[at + 5] = temperature == 0 ? 1 : 0;
        long number = Double.doubleToRawLongBits(uniform);
        requests[at + UNIFORM] = (int) number;
        requests[at + UNIFORM + 1] = (int) (number >>> 32);
        Arrays.fill(requests, at + LISTS, at + LISTS + 4, entries);
        penalties(1, 0, 0);
    }

    /** Of the last request. */
    public void penalties(float repetition, float frequency, float presence) {
        int at = (count - 1) * WORDS + PENALTIES;
        requests[at] = bits(repetition);
        requests[at + 1] = bits(frequency);
        requests[at + 2] = bits(presence);
    }

    /** Adds {@code bias} to a token's logit. */
    public void bias(int id, float bias) {
        entry(id, bits(bias), 1);
    }

    /** A token that may not come; after all biases. */
    public void exclude(int id) {
        entry(id, 0, 2);
    }

    /** A token that penalties apply to, with its occurrences in the output; after all others. */
    public void penalise(int id, int occurrences) {
        entry(id, occurrences, 3);
    }

    private void entry(int id, int value, int list) {
        ids[entries] = id;
        values[entries++] = value;
        int at = (count - 1) * WORDS + LISTS;
        Arrays.fill(requests, at + list, at + 4, entries);
    }

    private static int bits(float value) {
        return Float.floatToRawIntBits(value);
    }

    public int count() {
        return count;
    }

    public int entries() {
        return entries;
    }

    public int requestsMax() {
        return requests.length / WORDS;
    }

    public int entriesMax() {
        return ids.length;
    }

    /** The first {@code count * WORDS} are in use. */
    public int[] requests() {
        return requests;
    }

    /** The first {@link #entries} are in use. */
    public int[] ids() {
        return ids;
    }

    /** The first {@link #entries} are in use. */
    public int[] values() {
        return values;
    }
}
