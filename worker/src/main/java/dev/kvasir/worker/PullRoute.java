package dev.kvasir.worker;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.transfer.TransferClient;
import dev.kvasir.protocol.KvSource;
import dev.kvasir.worker.engine.PullNeed;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What is asked of whom, so that the blocks that a sequence lacks follow what it has without a hole. Each member is asked once,
 * for all stretches of the prompt that it has, or in pieces where that is more than a transfer may bring.
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
        private final Member member;
        private final List<BlockHash> hashes = new ArrayList<>();
        private int end = -1;
        private boolean sparse;

        Asked(Member member) {
            this.member = member;
        }

        int room() {
            return TransferClient.BLOCKS_MAX - hashes.size();
        }

        void add(List<BlockHash> chain, int from, int to) {
            sparse |= end >= 0 && end != from;
            hashes.addAll(chain.subList(from, to));
            end = to;
        }

        Leg leg() {
            return new Leg(member.transferAddress, member.incarnation, hashes, sparse);
        }
    }

    /** Goes on from what is there with whoever has most, as far as somebody has the next block, in at most so many transfers. */
    static PullRoute of(PullNeed need, List<KvSource> sources, int legsMax) {
        var legs = new ArrayList<Asked>();
        var latest = new HashMap<Member, Asked>();
        int size = need.chain().size();
        int end = need.have();
        for (var next = best(sources, end); next != null && end < size; next = best(sources, end)) {
            var member = new Member(next.transferAddress(), next.incarnation());
            var leg = latest.get(member);
            if (leg == null || leg.room() == 0) {
                if (legs.size() >= legsMax) {
                    break;
                }
                leg = new Asked(member);
                legs.add(leg);
                latest.put(member, leg);
            }
            int to = Math.min(Math.min(size, next.blocks()), end + leg.room());
            leg.add(need.chain(), end, to);
            end = to;
        }
        return new PullRoute(
                need.chain().subList(need.have(), end),
                legs.stream().map(Asked::leg).toList());
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
}
