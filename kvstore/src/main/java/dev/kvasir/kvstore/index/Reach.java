package dev.kvasir.kvstore.index;

import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.kvstore.hash.Segments;

/**
 * How far a chain could be had from members that each have any part of it, after what one has already: for one chain, asked
 * for many beginnings. Of a segment its first and its last block are looked at, or, where the last is missing, log2(blocks)
 * others: members give up what lies behind first. So where one has lost a block in the middle of a segment, the answer may be
 * too long; who pulls gets less then, and computes the rest.
 */
public final class Reach {
    private final HashChain chain;
    private final int leading;
    private final PrefixIndex scattered;
    private final int segmentBlocks;
    private int knownFrom;
    private int knownEnd;

    /**
     * Of one chain.
     *
     * @param leading blocks that somebody has from the chain's beginning
     * @param scattered holders of any parts
     * @param segmentBlocks blocks of a chain that are kept together
     */
    public Reach(HashChain chain, int leading, PrefixIndex scattered, int segmentBlocks) {
        this.chain = chain;
        this.leading = leading;
        this.scattered = scattered;
        this.segmentBlocks = segmentBlocks;
        this.knownEnd = after(0);
    }

    /** One past the last block that can be had where the first {@code have} are there. */
    public int from(int have) {
        if (have < knownFrom || have > knownEnd) {
            knownFrom = have;
            knownEnd = after(have);
        }
        return knownEnd;
    }

    private int after(int have) {
        int end = have;
        int before = -1;
        while (end > before) {
            before = end;
            end = scattered(Math.max(end, leading));
        }
        return end;
    }

    private int scattered(int begin) {
        int end = begin;
        while (end < chain.size() && scattered.isHeld(chain.get(end))) {
            int last = Math.min(chain.size(), Segments.end(end, segmentBlocks)) - 1;
            if (!scattered.isHeld(chain.get(last))) {
                return firstMissing(end, last);
            }
            end = last + 1;
        }
        return end;
    }

    /** The first block that is missing, where {@code held} is there and {@code missing} is not. */
    private int firstMissing(int held, int missing) {
        int low = held;
        int high = missing;
        while (high - low > 1) {
            int middle = (low + high) >>> 1;
            if (scattered.isHeld(chain.get(middle))) {
                low = middle;
            } else {
                high = middle;
            }
        }
        return high;
    }
}
