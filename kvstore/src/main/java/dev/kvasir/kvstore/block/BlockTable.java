package dev.kvasir.kvstore.block;

import java.util.Arrays;

/**
 * A sequence's blocks in order: token p lies in slot {@code p % blockSize} of entry {@code p / blockSize}. Append-only; an
 * entry changes only from a block to an equal one (copy-on-write, de-duplication). {@link PrefixCache} alone changes it,
 * and keeps the pool's reference counts equal to the entries of all tables.
 */
public final class BlockTable {
    private int[] blocks = new int[8];
    private int size;

    public int size() {
        return size;
    }

    public int get(int index) {
        if (index >= size) {
            throw new IndexOutOfBoundsException("entry " + index + " of " + size);
        }
        return blocks[index];
    }

    /** The entries, for a batch to read during a step: valid in [0, size) until the table changes. */
    public int[] array() {
        return blocks;
    }

    void append(int block) {
        if (size == blocks.length) {
            blocks = Arrays.copyOf(blocks, size * 2);
        }
        blocks[size++] = block;
    }

    void replace(int index, int block) {
        get(index);
        blocks[index] = block;
    }

    int removeLast() {
        return blocks[--size];
    }
}
