package dev.kvasir.worker;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.protocol.PrefixCacheProtocol.Holder;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Decides which blocks a worker offers to which kvstore, and when: those of one place to the same one, many with one call, one
 * call at a time. Bounded: what cannot be offered in time is dropped, and counted. Time and kvstores come from outside.
 * Thread-safe.
 *
 * <pre>
 * background   blocks come one after the other; the first waits a moment for more, up to a batch. It never ends.
 * hand-over    all blocks are there from the beginning, and time is short.
 * </pre>
 */
public final class OfferQueue {
    public static final int WAITING_MAX = 8192;
    static final int BATCH = 256;
    /** A call, and the pull that it sets off, cost as much as some ten blocks of a small model; steps of one prompt share them. */
    static final Duration LINGER = Duration.ofMillis(200);

    static final Duration TIMEOUT = Duration.ofSeconds(20);

    /** Calls that would have less time than this are not made. */
    private static final long USEFUL_NANOS = Duration.ofMillis(1).toNanos();

    /** A block, and what decides where it goes. */
    public record Block(BlockHash place, BlockHash hash) {}

    /** A call to be made; what became of it is to be told with {@link #ended} or {@link #failed}. */
    public record Call(Holder store, List<BlockHash> hashes, Duration timeout) {
        public Call {
            hashes = List.copyOf(hashes);
        }
    }

    private final Deque<Block> waiting = new ArrayDeque<>();
    private final Map<Holder, List<BlockHash>> planned = new LinkedHashMap<>();
    private final boolean ends;
    private final long untilNanos;
    private long lingersUntilNanos;
    private boolean calling;
    private long held;
    private long dropped;

    private OfferQueue(boolean ends, long untilNanos) {
        this.ends = ends;
        this.untilNanos = untilNanos;
    }

    /** An empty one, for blocks that come. */
    public static OfferQueue background() {
        return new OfferQueue(false, 0);
    }

    /** One for all blocks of a worker that leaves; no call lasts longer than {@code untilNanos}. */
    public static OfferQueue handOver(Collection<Block> all, long nowNanos, long untilNanos) {
        var queue = new OfferQueue(true, untilNanos);
        queue.waiting.addAll(all);
        queue.lingersUntilNanos = nowNanos;
        return queue;
    }

    /** A block has come. True where nothing waited before it, or enough does now, so that somebody is to look for calls. */
    public synchronized boolean add(Block block, long nowNanos) {
        if (waiting.size() >= WAITING_MAX) {
            dropped++;
            return false;
        }
        if (waiting.isEmpty()) {
            lingersUntilNanos = nowNanos + LINGER.toNanos();
        }
        waiting.add(block);
        return waiting.size() == 1 || waiting.size() == BATCH;
    }

    /**
     * The next call to make; null where there is none just now, see {@link #waitNanos}.
     *
     * @param storeOf the kvstore that blocks of a place go to
     */
    public synchronized @Nullable Call next(long nowNanos, Function<BlockHash, Optional<Holder>> storeOf) {
        while (!calling && mayCall(nowNanos)) {
            if (planned.isEmpty()) {
                plan(storeOf);
                continue;
            }
            var entries = planned.entrySet().iterator();
            var entry = entries.next();
            entries.remove();
            calling = true;
            return new Call(entry.getKey(), entry.getValue(), timeout(nowNanos));
        }
        return null;
    }

    private boolean mayCall(long nowNanos) {
        boolean some = !planned.isEmpty() || lingerNanos(nowNanos) == 0;
        return some && !timeIsUp(nowNanos);
    }

    /** How much longer blocks that wait are to wait for others. */
    private long lingerNanos(long nowNanos) {
        if (waiting.isEmpty()) {
            return Long.MAX_VALUE;
        }
        return waiting.size() >= BATCH ? 0 : Math.max(0, lingersUntilNanos - nowNanos);
    }

    private boolean timeIsUp(long nowNanos) {
        return ends && untilNanos - nowNanos < USEFUL_NANOS;
    }

    private Duration timeout(long nowNanos) {
        long most = TIMEOUT.toNanos();
        return Duration.ofNanos(ends ? Math.min(most, untilNanos - nowNanos) : most);
    }

    private void plan(Function<BlockHash, Optional<Holder>> storeOf) {
        for (int i = 0; i < BATCH && !waiting.isEmpty(); i++) {
            var block = waiting.remove();
            var store = storeOf.apply(block.place()).orElse(null);
            if (store == null) {
                dropped++;
            } else {
                planned.computeIfAbsent(store, _ -> new ArrayList<>()).add(block.hash());
            }
        }
    }

    /** When to look for calls again: nanoseconds from now, {@link Long#MAX_VALUE} for not before something happens. */
    public synchronized long waitNanos(long nowNanos) {
        if (calling || timeIsUp(nowNanos) || (planned.isEmpty() && waiting.isEmpty())) {
            return Long.MAX_VALUE;
        }
        return planned.isEmpty() ? lingerNanos(nowNanos) : 0;
    }

    /** A kvstore holds so many of those that it was offered. */
    public synchronized void ended(Call call, int heldNow) {
        calling = false;
        held += Math.clamp(heldNow, 0, call.hashes().size());
    }

    /** A kvstore took nothing, or nobody knows. */
    public synchronized void failed(Call call) {
        calling = false;
        dropped += call.hashes().size();
    }

    /** Nothing waits and no call is being made. */
    public synchronized boolean isIdle() {
        return !calling && planned.isEmpty() && waiting.isEmpty();
    }

    /** Blocks that wait, a call's own among them as long as it has not begun. */
    public synchronized int waiting() {
        return waiting.size() + planned.values().stream().mapToInt(List::size).sum();
    }

    /** Blocks that kvstores said they hold after an offer. */
    public synchronized long held() {
        return held;
    }

    /** Blocks that were not offered in time, or not taken. */
    public synchronized long dropped() {
        return dropped;
    }
}
