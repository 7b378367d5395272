package dev.kvasir.router;

import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.kvstore.hash.Segments;
import dev.kvasir.kvstore.index.Match;
import dev.kvasir.kvstore.index.PrefixIndex;
import dev.kvasir.kvstore.shard.ShardReplica;
import dev.kvasir.protocol.KvSource;
import dev.kvasir.protocol.PrefixCacheProtocol.Holder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Who could give a worker the blocks of a prompt that it lacks: stretches that follow each other, of kvstores where they have
 * them, since those are not computing meanwhile, else of the worker that has most. A hole ends them.
 */
final class Sources {
    private final ShardReplica shard;
    private final PrefixIndex stores;
    private final HashChain prompt;
    private final int segmentBlocks;
    private final Map<Integer, Holder> storeBySlot = new HashMap<>();
    private final List<KvSource> sources = new ArrayList<>();
    private @Nullable Holder leader;
    private int leading;

    private Sources(ShardReplica shard, HashChain prompt, int segmentBlocks) {
        this.shard = shard;
        this.stores = shard.stores().index();
        this.prompt = prompt;
        this.segmentBlocks = segmentBlocks;
    }

    /**
     * The sources of a prompt.
     *
     * @param match of the prompt, in the index of workers
     * @param have blocks that the worker has
     */
    static List<KvSource> of(ShardReplica shard, HashChain prompt, Match match, int have, int segmentBlocks) {
        var sources = new Sources(shard, prompt, segmentBlocks);
        sources.meet(match);
        sources.goOnFrom(have);
        return List.copyOf(sources.sources);
    }

    private void meet(Match match) {
        for (var holder : shard.holders()) {
            if (shard.of(holder) == shard.stores()) {
                int slot = stores.slot(ShardReplica.key(holder));
                if (slot != PrefixIndex.UNKNOWN) { // Else a later life has taken its place.
                    storeBySlot.put(slot, holder);
                }
            } else if (!holder.transferAddress().isEmpty()) {
                int blocks = match.blocks(shard.replica().index().slot(ShardReplica.key(holder)));
                if (blocks > leading) {
                    leading = blocks;
                    leader = holder;
                }
            }
        }
    }

    private void goOnFrom(int have) {
        int end = have;
        int slot = PrefixIndex.UNKNOWN;
        while (end < prompt.size() && sources.size() < KvSource.SOURCES_MAX) {
            slot = stores.has(slot, prompt.get(end)) ? slot : stores.anyHolder(prompt.get(end));
            var store = storeBySlot.get(slot);
            int next = end;
            if (store != null) {
                next = endAt(slot, end);
                name(store, end, next);
            } else if (leader != null && leading > end) {
                next = leading;
                name(leader, end, next);
            }
            if (next == end) {
                return;
            }
            end = next;
        }
    }

    /** Stretches of one member that follow each other are one. */
    private void name(Holder holder, int from, int to) {
        var last = sources.isEmpty() ? null : sources.getLast();
        boolean goesOn = last != null
                && last.transferAddress().equals(holder.transferAddress())
                && last.incarnation() == holder.incarnation();
        if (last != null && goesOn) {
            sources.removeLast();
        }
        sources.add(new KvSource(
                holder.transferAddress(), holder.incarnation(), last != null && goesOn ? last.from() : from, to));
    }

    /** One past the last block of the segment that a kvstore has, after one that it has. */
    private int endAt(int slot, int begin) {
        int low = begin;
        int high = Math.min(prompt.size(), Segments.end(begin, segmentBlocks));
        if (stores.has(slot, prompt.get(high - 1))) {
            return high;
        }
        while (high - low > 1) {
            int middle = (low + high) >>> 1;
            if (stores.has(slot, prompt.get(middle))) {
                low = middle;
            } else {
                high = middle;
            }
        }
        return high;
    }
}
