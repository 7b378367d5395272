package dev.kvasir.router.placement;

import dev.kvasir.router.placement.ClusterView.WorkerView;
import dev.kvasir.router.placement.Decision.Candidate;
import java.util.Optional;
import java.util.random.RandomGenerator;

/**
 * To the eligible worker with the fewest tokens still to be computed, requests sent but not yet reported included. Equal
 * ones are chosen among at random, so that routers that see the same do not all do the same.
 */
public final class LeastLoaded implements Placement {
    @Override
    public Decision place(ClusterView view, Query query, RandomGenerator random) {
        var candidates = view.workers().stream().map(w -> candidate(w, query)).toList();
        double least = candidates.stream()
                .filter(Candidate::eligible)
                .mapToDouble(Candidate::cost)
                .min()
                .orElse(Double.POSITIVE_INFINITY);
        var best = candidates.stream()
                .filter(c -> c.eligible() && c.cost() == least)
                .map(Candidate::worker)
                .sorted()
                .toList();
        return new Decision(
                best.isEmpty() ? Optional.empty() : Optional.of(best.get(random.nextInt(best.size()))), candidates);
    }

    private static Candidate candidate(WorkerView worker, Query query) {
        double cost = (double) worker.tokens() + query.tokens();
        return new Candidate(worker.id(), worker.tokens(), worker.requests(), cost, refusal(worker, query));
    }

    private static String refusal(WorkerView worker, Query query) {
        if (!worker.model().equals(query.model())) {
            return "serves " + worker.model();
        }
        if (worker.draining()) {
            return "is draining";
        }
        if (query.sequenceTokensMax() > worker.maxModelLength()) {
            return "takes at most %d tokens, not %d".formatted(worker.maxModelLength(), query.sequenceTokensMax());
        }
        return "";
    }
}
