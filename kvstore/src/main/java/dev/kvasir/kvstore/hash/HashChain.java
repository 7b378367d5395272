package dev.kvasir.kvstore.hash;

import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The hashes of a sequence's full blocks, in order; grows with the sequence. Each hash is computed once. A chain without
 * hasher does not grow; an empty one's blocks have no names and are never shared through the prefix cache.
 */
public final class HashChain {
    private final @Nullable BlockHasher hasher;
    private final BlockHash root;
    private BlockHash[] hashes;
    private int size;

    private HashChain(@Nullable BlockHasher hasher, BlockHash root, BlockHash[] hashes, int size) {
        this.hasher = hasher;
        this.root = root;
        this.hashes = hashes;
        this.size = size;
    }

    /** An empty chain that starts from {@code root}. */
    public static HashChain of(BlockHasher hasher, BlockHash root) {
        return new HashChain(hasher, root, new BlockHash[8], 0);
    }

    /** A chain whose hashes are known already; it does not grow. */
    public static HashChain of(List<BlockHash> hashes) {
        return new HashChain(null, new BlockHash(0, 0), hashes.toArray(BlockHash[]::new), hashes.size());
    }

    /** A chain that stays empty: prefix reuse is off. */
    public static HashChain unnamed() {
        return new HashChain(null, new BlockHash(0, 0), new BlockHash[0], 0);
    }

    /** A chain of its own with the same beginning. */
    public HashChain fork() {
        return new HashChain(hasher, root, hashes.clone(), size);
    }

    public int size() {
        return size;
    }

    public BlockHash get(int index) {
        if (index >= size) {
            throw new IndexOutOfBoundsException("hash " + index + " of " + size);
        }
        return hashes[index];
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
        if (full > hashes.length) {
            hashes = Arrays.copyOf(hashes, Math.max(full, hashes.length * 2));
        }
        var known = hasher.known();
        while (size < full) {
            int end = Math.min(full, size - size % NameCache.SEGMENT + NameCache.SEGMENT);
            if (known != null && end - size == NameCache.SEGMENT) {
                extend(hasher, known, tokens, end);
            } else {
                extend(hasher, tokens, end);
            }
        }
    }

    private void extend(BlockHasher with, int[] tokens, int end) {
        for (; size < end; size++) {
            hashes[size] = with.next(parent(size), tokens, size * with.blockSize());
        }
    }

    /** By a segment, whose names may be known. */
    private void extend(BlockHasher with, NameCache known, int[] tokens, int end) {
        var parent = parent(size);
        int first = size;
        int from = first * with.blockSize();
        int to = end * with.blockSize();
        long digest = NameCache.digest(tokens, from, to);
        var names = known.find(parent, digest, tokens, from, to);
        if (names == null) {
            extend(with, tokens, end);
            known.named(parent, digest, tokens, from, to, hashes, first);
        } else {
            System.arraycopy(names, 0, hashes, first, names.length);
            size = end;
        }
    }
}
