package dev.kvasir.kvstore.hash;

import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The hashes of a sequence's full blocks, in order; grows with the sequence. Each hash is computed once. A chain without
 * hasher does not grow; an empty one's blocks have no names and are never shared through the prefix cache. Kept as numbers:
 * naming a long prompt writes 16 bytes a block and makes no objects; {@link #get} does.
 */
public final class HashChain {
    private final @Nullable BlockHasher hasher;
    private final BlockHash root;
    /** Two for each block. */
    private long[] names;

    private int size;

    private HashChain(@Nullable BlockHasher hasher, BlockHash root, long[] names, int size) {
        this.hasher = hasher;
        this.root = root;
        this.names = names;
        this.size = size;
    }

    /** An empty chain that starts from {@code root}. */
    public static HashChain of(BlockHasher hasher, BlockHash root) {
        return new HashChain(hasher, root, new long[16], 0);
    }

    /** A chain whose hashes are known already; it does not grow. */
    public static HashChain of(List<BlockHash> hashes) {
        var names = new long[2 * hashes.size()];
        int at = 0;
        for (var hash : hashes) {
            names[at++] = hash.high();
            names[at++] = hash.low();
        }
        return new HashChain(null, new BlockHash(0, 0), names, hashes.size());
    }

    /** A chain that stays empty: prefix reuse is off. */
    public static HashChain unnamed() {
        return new HashChain(null, new BlockHash(0, 0), new long[0], 0);
    }

    /** A chain of its own with the same beginning. */
    public HashChain fork() {
        return new HashChain(hasher, root, names.clone(), size);
    }

    public int size() {
        return size;
    }

    public BlockHash get(int index) {
        if (index >= size) {
            throw new IndexOutOfBoundsException("hash " + index + " of " + size);
        }
        return new BlockHash(names[2 * index], names[2 * index + 1]);
    }

    /** Hash of the block before {@code index}: a chain's root before its first block. */
    public BlockHash parent(int index) {
        return index == 0 ? root : get(index - 1);
    }

    /** Hashes the full blocks of {@code tokens[0, tokenCount)} that are not hashed yet. */
    public void extend(int[] tokens, int tokenCount) {
        if (hasher == null) {
            return;
        }
        int full = tokenCount / hasher.blockSize();
        if (full <= size) {
            return;
        }
        if (2 * full > names.length) {
            names = Arrays.copyOf(names, Math.max(2 * full, names.length * 2));
        }
        hasher.name(root, tokens, names, size, full);
        size = full;
    }
}
