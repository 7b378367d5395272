package dev.kvasir.kvstore.hash;

/**
 * Where the blocks of a chain are kept by kvstores: a chain is cut in segments, and each goes to a kvstore by its last block.
 * The last one names all before it, so chains that begin alike part with the segment in which they differ, from its first
 * block on: a beginning that all have in common lies on few kvstores, and the rest of each chain on others. Nobody has to look
 * a block up by this rule, so those that apply it in different moments, to chains of different lengths, need not agree.
 */
public final class Segments {
    /** Blocks of a segment: enough for a transfer of its own, few enough that long chains are read from many. */
    public static final int BLOCKS = 128;

    private Segments() {}

    /** One past the last block of the segment that a block is in. */
    public static int end(int index, int segmentBlocks) {
        return (index / segmentBlocks + 1) * segmentBlocks;
    }

    /** What decides where a block of a chain is kept: the last block of its segment, or of the chain where that ends before. */
    public static BlockHash place(HashChain chain, int index, int segmentBlocks) {
        return chain.get(Math.min(chain.size(), end(index, segmentBlocks)) - 1);
    }
}
