package dev.kvasir.worker;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.protocol.KvSource;
import dev.kvasir.worker.engine.PullNeed;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What is asked of whom, so that the blocks that a sequence lacks follow what it has without a hole. Each member is asked once,
 * for all stretches of the prompt that it has.
 *
 * @param hashes of all blocks that come, in the order of the chain
 * @param legs a transfer each
 */
record PullRoute(List<BlockHash> hashes, List<Leg> legs) {
    PullRoute {
        hashes = List.copyOf(hashes);
        legs = List.copyOf(legs);
    }

    /**
     * What one member is asked.
     *
     * @param isSparse whether blocks between these are others'
     */
    record Leg(String transferAddress, long incarnation, List<BlockHash> hashes, boolean isSparse) {
        Leg {
            hashes = List.copyOf(hashes);
        }
    }

    private record Member(String transferAddress, long incarnation) {}

    private static final class Asked {
        private final List<BlockHash> hashes = new ArrayList<>();
        private int end = -1;
        private boolean sparse;

        void add(List<BlockHash> chain, int from, int to) {
            sparse |= end >= 0 && end != from;
            hashes.addAll(chain.subList(from, to));
            end = to;
        }
    }

    /** Goes on from what is there with whoever has most, as far as somebody has the next block, of at most so many members. */
    static PullRoute of(PullNeed need, List<KvSource> sources, int membersMax) {
        var asked = new LinkedHashMap<Member, Asked>();
        int end = need.have();
        for (var next = best(sources, end); next != null; next = best(sources, end)) {
            var member = new Member(next.transferAddress(), next.incarnation());
            if (!asked.containsKey(member) && asked.size() >= membersMax) {
                break;
            }
            int to = Math.min(need.chain().size(), next.blocks());
            if (to <= end) {
                break;
            }
            asked.computeIfAbsent(member, _ -> new Asked()).add(need.chain(), end, to);
            end = to;
        }
        return new PullRoute(need.chain().subList(need.have(), end), legs(asked));
    }

    /** Who has most of what comes next; null where nobody has the next block. */
    static @Nullable KvSource best(List<KvSource> sources, int begin) {
        KvSource best = null;
        for (var source : sources) {
            boolean goesOn = source.from() <= begin && source.blocks() > begin;
            if (goesOn && (best == null || source.blocks() > best.blocks())) {
                best = source;
            }
        }
        return best;
    }

    private static List<Leg> legs(Map<Member, Asked> asked) {
        var legs = new ArrayList<Leg>();
        asked.forEach(
                (member, of) -> legs.add(new Leg(member.transferAddress, member.incarnation, of.hashes, of.sparse)));
        return legs;
    }
}
