package dev.kvasir.kvstore.index;

import java.util.Arrays;
import java.util.BitSet;

/** What {@link PrefixIndex#match} found; made once and used again. Holders are named by their slot in the index. */
public final class Match {
    private int[] blocks = new int[16];
    private int[] deviceBlocks = new int[16];

    void reset(int slots) {
        if (slots > blocks.length) {
            blocks = new int[Math.max(slots, blocks.length * 2)];
            deviceBlocks = new int[blocks.length];
        } else {
            Arrays.fill(blocks, 0);
            Arrays.fill(deviceBlocks, 0);
        }
    }

    /** Length of the longest prefix that the holder has, in whatever tiers; 0 for slots unknown to the index. */
    public int blocks(int slot) {
        return slot < 0 || slot >= blocks.length ? 0 : blocks[slot];
    }

    /** Length of the longest prefix that it has in {@link Tier#DEVICE}; never more than {@link #blocks}. */
    public int deviceBlocks(int slot) {
        return slot < 0 || slot >= deviceBlocks.length ? 0 : deviceBlocks[slot];
    }

    /** The longest prefix that any of these slots has. */
    public int longest(BitSet slots) {
        int longest = 0;
        for (int slot = slots.nextSetBit(0); slot >= 0; slot = slots.nextSetBit(slot + 1)) {
            longest = Math.max(longest, blocks(slot));
        }
        return longest;
    }

    /** The longest prefix that any holder has. */
    public int longest() {
        int longest = 0;
        for (int length : blocks) {
            longest = Math.max(longest, length);
        }
        return longest;
    }

    int[] lengths(boolean device) {
        return device ? deviceBlocks : blocks;
    }
}
