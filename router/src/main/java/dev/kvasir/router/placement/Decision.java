package dev.kvasir.router.placement;

import java.util.List;
import java.util.Optional;

/**
 * Where a request goes, and why.
 *
 * @param chosen empty where no candidate is eligible
 * @param candidates all workers looked at
 */
public record Decision(Optional<WorkerId> chosen, List<Candidate> candidates) {
    public Decision {
        candidates = List.copyOf(candidates);
    }

    /**
     * A worker that was looked at.
     *
     * @param cost in tokens that must be computed before the request is done; meaningless where refused
     * @param refusal why the worker cannot take the request; empty where it can
     */
    public record Candidate(WorkerId worker, long tokens, int requests, double cost, String refusal) {
        public boolean eligible() {
            return refusal.isEmpty();
        }
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
