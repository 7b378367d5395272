package dev.kvasir.worker.engine;

import dev.kvasir.kvstore.block.PrefixCache;
import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.HashChain;
import dev.kvasir.protocol.KvSource;
import dev.kvasir.worker.schedule.Queues;
import dev.kvasir.worker.schedule.SchedulerLimits;
import dev.kvasir.worker.schedule.Sequence;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Sequences whose blocks are being fetched: pulled from another member, or copied back from host memory. When their turn
 * comes they are set aside until that is over; others go on meanwhile. Whatever happens to a fetch, its sequence goes back
 * into the queue, and what did not come is recomputed. Of the engine's thread.
 */
final class Fetching {
    private final SharedBlocks shared;
    private final Puller puller;
    private final Queues queues;
    private final PrefixCache cache;
    private final SchedulerLimits limits;
    private final Map<Sequence, Pull> pulls = new HashMap<>();
    private final List<Sequence> aside = new ArrayList<>();
    private final List<Sequence> next = new ArrayList<>();

    Fetching(SharedBlocks shared, Puller puller, Queues queues, PrefixCache cache, SchedulerLimits limits) {
        this.shared = shared;
        this.puller = puller;
        this.queues = queues;
        this.cache = cache;
        this.limits = limits;
    }

    /** A new sequence was queued; others are said to have blocks of it. What it will find is no work that waits. */
    void queued(Sequence sequence, List<KvSource> sources, double tokensPerSecond, long tokensAhead) {
        int end = Math.min(
                sequence.reusableBlocksMax(limits.blockSize()), sequence.chain().size());
        int have = here(sequence.chain(), end);
        sequence.expectFound(have * limits.blockSize());
        if (sources.isEmpty() || have == end) {
            return;
        }
        var chain = new ArrayList<BlockHash>(end);
        for (int i = 0; i < end; i++) {
            chain.add(sequence.chain().get(i));
        }
        var pull = puller.begin(new PullNeed(chain, have, limits.blockSize(), tokensPerSecond, tokensAhead), sources);
        if (pull != null) {
            pulls.put(sequence, pull);
            int reach = sources.stream().mapToInt(KvSource::blocks).max().orElse(have);
            sequence.expectFound(Math.clamp(reach, have, end) * limits.blockSize());
        }
    }

    private int here(HashChain chain, int end) {
        int have = cache.match(chain, end);
        var tier = shared.tier();
        while (tier != null && have < end && tier.contains(chain.get(have))) {
            have++;
        }
        return have;
    }

    /** Before a plan is made: sets those aside whose turn it is, but whose blocks are not there yet. */
    void arrange() {
        shared.beginStep();
        for (int i = 0; i < aside.size(); i++) {
            queues.putBack(aside.get(i));
        }
        aside.clear();
        look();
        for (int i = 0; i < next.size(); i++) {
            queues.setAside(next.get(i));
            aside.add(next.get(i));
        }
        next.clear();
    }

    /** As far as the plan may look, and in its order. */
    private void look() {
        int seats = queues.runningSeats();
        int room = cache.pool().available();
        queues.lookAlongWaiting();
        for (var sequence = queues.nextWaiting(); sequence != null; sequence = queues.nextWaiting()) {
            seats += sequence.seats();
            int lacking = lacking(sequence);
            if (seats > limits.sequencesMax() || lacking > room) {
                break; // Its turn has not come: what came back for it now would be gone by then.
            }
            if (mustWait(sequence)) {
                seats -= sequence.seats(); // The plan does not see it, and goes on to whoever comes after.
                next.add(sequence);
                queues.tookWaiting(0);
            } else {
                room -= lacking;
                int cached = cache.match(sequence.chain(), sequence.reusableBlocksMax(limits.blockSize()));
                queues.tookWaiting(sequence.tokenCount() - (long) cached * limits.blockSize());
            }
        }
    }

    /** Blocks of the pool that it takes from those nobody uses. */
    private int lacking(Sequence sequence) {
        int lacking = limits.blocks(sequence.tokenCount());
        var chain = sequence.chain();
        int known = cache.match(chain, sequence.reusableBlocksMax(limits.blockSize()));
        for (int i = 0; i < known; i++) {
            lacking -= cache.pool().references(cache.block(chain.get(i))) > 0 ? 1 : 0;
        }
        return lacking;
    }

    private boolean mustWait(Sequence sequence) {
        var pull = pulls.get(sequence);
        if (pull != null) {
            if (!pull.isDone()) {
                return true;
            }
            pulls.remove(sequence);
        }
        int blocksMax = sequence.reusableBlocksMax(limits.blockSize());
        return shared.restore(sequence.chain(), blocksMax) == SharedBlocks.Restored.MORE;
    }

    /** A sequence has left. */
    void forget(Sequence sequence) {
        aside.remove(sequence);
        var pull = pulls.remove(sequence);
        if (pull != null) {
            pull.giveUp();
        }
    }

    /** Outputs that sequences set aside stand for. */
    int seats() {
        int seats = 0;
        for (int i = 0; i < aside.size(); i++) {
            seats += aside.get(i).seats();
        }
        return seats;
    }

    boolean isEmpty() {
        return aside.isEmpty();
    }

    /** Whether all sequences set aside wait for others. */
    boolean waitsForPulls() {
        return !aside.isEmpty()
                && aside.stream().allMatch(sequence -> {
                    var pull = pulls.get(sequence);
                    return pull != null && !pull.isDone();
                });
    }
}
