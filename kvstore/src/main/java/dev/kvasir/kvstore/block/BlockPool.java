package dev.kvasir.kvstore.block;

import java.util.Arrays;

/**
 * Owns the identity of all KV blocks of a worker: which are free, used or cached, and by how many tables. Allocated once;
 * no operation allocates. Used by the engine's thread alone.
 *
 * <pre>
 * free    references = 0, content unknown          in the free stack
 * used    references &gt; 0                           in neither
 * cached  references = 0, content worth keeping    in the queue of cached blocks, least recently used first
 *
 * take: free -> used        release, last reference: used -> cached if kept, else free
 * evict: cached -> free     retain: cached -> used
 * </pre>
 */
public final class BlockPool {
    private static final int NONE = -1;

    private final int[] references;
    private final boolean[] kept;
    private final int[] freeStack;
    private final int[] older;
    private final int[] newer;
    private int freeCount;
    private int cachedCount;
    private int oldest = NONE;
    private int newest = NONE;

    public BlockPool(int capacity) {
        if (capacity < 1) {
            throw new IllegalArgumentException("capacity is " + capacity + " blocks but must be at least 1");
        }
        references = new int[capacity];
        kept = new boolean[capacity];
        freeStack = new int[capacity];
        older = new int[capacity];
        newer = new int[capacity];
        Arrays.fill(older, NONE);
        Arrays.fill(newer, NONE);
        for (int block = 0; block < capacity; block++) {
            freeStack[block] = capacity - 1 - block;
        }
        freeCount = capacity;
    }

    public int capacity() {
        return references.length;
    }

    public int free() {
        return freeCount;
    }

    public int cached() {
        return cachedCount;
    }

    public int used() {
        return capacity() - freeCount - cachedCount;
    }

    /** Blocks that can be had now: free ones, and cached ones after eviction. */
    public int available() {
        return freeCount + cachedCount;
    }

    /** Tables that hold the block. */
    public int references(int block) {
        return references[block];
    }

    /** Whether the block will be cached, rather than free, when its last reference goes. */
    public boolean isKept(int block) {
        return kept[block];
    }

    /** A free block, now with one reference. */
    public int take() {
        if (freeCount == 0) {
            throw new IllegalStateException("no block of %d is free, %d are cached".formatted(capacity(), cachedCount));
        }
        int block = freeStack[--freeCount];
        references[block] = 1;
        return block;
    }

    /** One more reference to a used or cached block. */
    public void retain(int block) {
        if (references[block] == 0) {
            require(kept[block], block, "is free and cannot be shared");
            unlink(block);
        }
        references[block]++;
    }

    /** One reference less. */
    public void release(int block) {
        require(references[block] > 0, block, "has no reference to give back");
        if (--references[block] > 0) {
            return;
        }
        if (kept[block]) {
            linkNewest(block);
        } else {
            freeStack[freeCount++] = block;
        }
    }

    /** Marks a used block's content as worth keeping. */
    public void keep(int block) {
        require(references[block] > 0, block, "is not used");
        kept[block] = true;
    }

    /** The cached block that was not used for longest, now free. */
    public int evict() {
        int block = oldest;
        if (block == NONE) {
            throw new IllegalStateException("no block of " + capacity() + " is cached");
        }
        unlink(block);
        kept[block] = false;
        freeStack[freeCount++] = block;
        return block;
    }

    private void linkNewest(int block) {
        older[block] = newest;
        newer[block] = NONE;
        if (newest == NONE) {
            oldest = block;
        } else {
            newer[newest] = block;
        }
        newest = block;
        cachedCount++;
    }

    private void unlink(int block) {
        int before = older[block];
        int after = newer[block];
        if (before == NONE) {
            oldest = after;
        } else {
            newer[before] = after;
        }
        if (after == NONE) {
            newest = before;
        } else {
            older[after] = before;
        }
        older[block] = NONE;
        newer[block] = NONE;
        cachedCount--;
    }

    private static void require(boolean holds, int block, String complaint) {
        if (!holds) {
            throw new IllegalStateException("block " + block + " " + complaint);
        }
    }
}
