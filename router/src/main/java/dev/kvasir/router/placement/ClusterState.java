package dev.kvasir.router.placement;

import dev.kvasir.kvstore.index.Match;
import dev.kvasir.kvstore.index.PrefixIndex;
import dev.kvasir.kvstore.index.Reach;
import dev.kvasir.router.placement.ClusterView.Cached;
import dev.kvasir.router.placement.ClusterView.WorkerView;
import dev.kvasir.router.placement.LoadLedger.Account;
import dev.kvasir.router.placement.PrefixSource.Prefixes;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * All that a router knows for placement: the load of each worker, the blocks that it holds, and what it was sent. From it
 * comes a {@link ClusterView} for each request.
 *
 * <p>Owned by one router, used on one thread; time comes from outside.
 */
public final class ClusterState {
    /** Blocks under way that are remembered, one of sixteen of each prompt. */
    private static final int EXPECTED_MAX = 1 << 18;

    /** Of blocks used so long ago, one in e is assumed to be wanted again. */
    private static final double REUSE_LIFE_NANOS = 300e9;

    private final PrefixSource prefixes;
    private final LoadLedger ledger = new LoadLedger();
    private final ExpectedPrefixes expected = new ExpectedPrefixes(EXPECTED_MAX);
    private final Map<String, Sent> sent = new HashMap<>();
    private final Match match = new Match();

    private record Sent(WorkerId worker, Query query) {}

    public ClusterState(PrefixSource prefixes) {
        this.prefixes = prefixes;
    }

    public LoadLedger ledger() {
        return ledger;
    }

    /** The workers, with what they have of the query's prompt. */
    public ClusterView view(Query query, long nowNanos) {
        var prompt = query.prompt();
        var known = prompt.size() == 0 ? null : prefixes.prefixes(query);
        Reach reach = null;
        if (known != null) {
            known.replica().index().match(prompt, prompt.size(), match);
            int offered = match.longest(known.offering());
            reach = new Reach(prompt, offered, known.stores().index(), known.segmentBlocks());
        }
        var others = reach;
        var underWay = expected.match(prompt);
        var workers = new ArrayList<WorkerView>();
        ledger.forEach(nowNanos, account -> workers.add(worker(account, query, known, others, underWay, nowNanos)));
        return new ClusterView(workers);
    }

    private WorkerView worker(
            Account account,
            Query query,
            @Nullable Prefixes known,
            @Nullable Reach others,
            Map<WorkerId, Integer> underWay,
            long nowNanos) {
        int blockSize = account.capacity().blockSize();
        int slot = known == null
                ? PrefixIndex.UNKNOWN
                : known.replica().index().slot(account.id().holder());
        int soon = underWay.isEmpty() ? 0 : underWay.getOrDefault(account.id(), 0);
        int here = Math.max(soon, match.deviceBlocks(slot));
        int near = Math.max(here, match.blocks(slot));
        int offered = others == null ? near : Math.max(near, others.from(near));
        int far = known != null && pulls(account, (offered - near) * blockSize, known) ? offered : near;
        var cached = new Cached(here * blockSize, near * blockSize, far * blockSize);
        return new WorkerView(
                account.id(),
                account.capacity().model(),
                account.capacity().maxModelLength(),
                blockSize,
                account.tokens(),
                account.requests(),
                account.recentTokens(),
                account.freeBlocks(),
                account.capacity().totalBlocks(),
                account.draining(),
                account.pull(),
                cached,
                displaced(account, query, here, nowNanos));
    }

    /** Whether the worker would pull so many tokens: it decides by the same rule. */
    private static boolean pulls(Account account, int tokens, Prefixes known) {
        return account.pull().isWorth(tokens, account.tokens()) && known.ofUse().test(account.id());
    }

    private static double displaced(Account account, Query query, int hereBlocks, long nowNanos) {
        int blockSize = account.capacity().blockSize();
        int needed = Math.ceilDiv(query.promptTokens(), blockSize) - hereBlocks;
        return blockSize
                * account.turnover().displaced(needed, account.capacity().totalBlocks(), nowNanos, REUSE_LIFE_NANOS);
    }

    /** A request goes where the decision says. */
    public void dispatched(WorkerId worker, String requestId, Query query, Decision decision, long nowNanos) {
        ended(requestId);
        if (ledger.contains(worker)) {
            int uncached = query.uncached(decision.cached().far());
            ledger.dispatched(worker, requestId, uncached, query.promptTokens(), nowNanos);
            expected.sent(worker, query.prompt());
            sent.put(requestId, new Sent(worker, query));
        }
    }

    /** The request has ended, or goes elsewhere. */
    public void ended(String requestId) {
        var gone = sent.remove(requestId);
        if (gone != null) {
            ledger.ended(gone.worker, requestId);
            expected.ended(gone.worker, gone.query.prompt());
        }
    }

    /** A worker is no more, and what it held and was sent with it. */
    public void removed(WorkerId worker) {
        ledger.remove(worker);
        var lost = sent.entrySet().stream()
                .filter(e -> e.getValue().worker.equals(worker))
                .map(Map.Entry::getKey)
                .toList();
        lost.forEach(this::ended);
    }
}
