package dev.kvasir.router.placement;

import dev.kvasir.kvstore.transfer.PullPrice;
import dev.kvasir.router.placement.ClusterView.Cached;
import dev.kvasir.router.placement.ClusterView.WorkerView;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * Where a request goes, and why.
 *
 * @param policy that decided
 * @param chosen empty where no candidate is eligible
 * @param candidates all workers looked at
 */
public record Decision(String policy, Optional<WorkerId> chosen, List<Candidate> candidates) {
    public Decision {
        candidates = List.copyOf(candidates);
    }

    /**
     * A worker that was looked at.
     *
     * @param tokens still to be computed there
     * @param pull what it costs there to pull KV instead of computing it
     * @param cost lowest is best; in tokens for most policies; meaningless where refused
     * @param refusal why the worker cannot take the request; empty where it can
     */
    public record Candidate(
            WorkerId worker,
            Cached cached,
            long tokens,
            int requests,
            int freeBlocks,
            PullPrice pull,
            double cost,
            String refusal) {
        static Candidate of(WorkerView worker, double cost, String refusal) {
            return new Candidate(
                    worker.id(),
                    worker.cached(),
                    worker.tokens(),
                    worker.requests(),
                    worker.freeBlocks(),
                    worker.pull(),
                    cost,
                    refusal);
        }

        public boolean eligible() {
            return refusal.isEmpty();
        }
    }

    /** What the chosen worker has of the prompt. */
    public Cached cached() {
        return candidates.stream()
                .filter(c -> chosen.isPresent() && c.worker().equals(chosen.get()))
                .map(Candidate::cached)
                .findFirst()
                .orElse(Cached.NONE);
    }

    /** The same with the {@code count} cheapest candidates alone, the chosen one among them, so that it can be kept. */
    public Decision shortened(int count) {
        if (candidates.size() <= count) {
            return this;
        }
        var best = candidates.stream()
                .sorted(Comparator.comparing((Candidate c) -> !chosen.equals(Optional.of(c.worker())))
                        .thenComparing(c -> !c.eligible())
                        .thenComparingDouble(Candidate::cost))
                .limit(count)
                .toList();
        return new Decision(policy, chosen, best);
    }

    /** The refusals, for a client that got no worker. */
    public String reason() {
        if (candidates.isEmpty()) {
            return "no worker has joined";
        }
        return String.join(
                "; ",
                candidates.stream()
                        .limit(8)
                        .map(c -> c.worker() + " " + c.refusal())
                        .toList());
    }
}
