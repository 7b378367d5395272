package dev.kvasir.kvstore.index;

import java.util.Arrays;

/**
 * Postings: "this holder has this block, in these tiers, and so many blocks that follow it". Those of one entry form a
 * linked list. One without tiers is a ghost: the holder has blocks that follow, but not the block itself.
 */
final class PostingPool {
    static final int NONE = -1;
    private static final int TIER_BITS = 3;
    private static final int TIERS = (1 << TIER_BITS) - 1;
    private static final int INITIAL = 64;
    private static final int FREE = -1;

    private final int capacity;
    private int[] holderAndTiers;
    private int[] children;
    private int[] next;
    private int[] entry;
    private int used;
    private int firstFree = NONE;
    private int size;

    PostingPool(int capacity) {
        this.capacity = capacity;
        int initial = Math.min(INITIAL, capacity);
        holderAndTiers = new int[initial];
        children = new int[initial];
        next = new int[initial];
        entry = new int[initial];
    }

    int room() {
        return capacity - size;
    }

    double roomShare() {
        return (double) room() / capacity;
    }

    long bytes() {
        return 16L * next.length;
    }

    /** All numbers ever given out are below. */
    int end() {
        return used;
    }

    int add(int holder, int ofEntry, int follows) {
        int posting = firstFree;
        if (posting != NONE) {
            firstFree = next[posting];
        } else {
            posting = used++;
            if (posting == next.length) {
                grow();
            }
        }
        holderAndTiers[posting] = holder << TIER_BITS;
        children[posting] = 0;
        next[posting] = follows;
        entry[posting] = ofEntry;
        size++;
        return posting;
    }

    void remove(int posting) {
        entry[posting] = FREE;
        next[posting] = firstFree;
        firstFree = posting;
        size--;
    }

    boolean isHeldBy(int posting, int holder) {
        return entry[posting] != FREE && holder(posting) == holder;
    }

    int holder(int posting) {
        return holderAndTiers[posting] >>> TIER_BITS;
    }

    int tiers(int posting) {
        return holderAndTiers[posting] & TIERS;
    }

    void setTiers(int posting, int tiers) {
        holderAndTiers[posting] = (holderAndTiers[posting] & ~TIERS) | tiers;
    }

    int children(int posting) {
        return children[posting];
    }

    void addChildren(int posting, int change) {
        children[posting] += change;
    }

    int next(int posting) {
        return next[posting];
    }

    void setNext(int posting, int value) {
        next[posting] = value;
    }

    int entry(int posting) {
        return entry[posting];
    }

    private void grow() {
        int length = (int) Math.min(capacity, next.length + (next.length >> 1) + 1L);
        holderAndTiers = Arrays.copyOf(holderAndTiers, length);
        children = Arrays.copyOf(children, length);
        next = Arrays.copyOf(next, length);
        entry = Arrays.copyOf(entry, length);
    }
}
