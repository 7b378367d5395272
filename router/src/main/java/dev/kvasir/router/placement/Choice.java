package dev.kvasir.router.placement;

import dev.kvasir.router.placement.ClusterView.WorkerView;
import dev.kvasir.router.placement.Decision.Candidate;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.ToDoubleFunction;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/** What all policies share: who may take a request at all, and choosing the cheapest of them. */
final class Choice {
    private Choice() {}

    /** Why the worker cannot take the request; empty where it can. */
    static String refusal(WorkerView worker, Query query) {
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

    static boolean isEligible(WorkerView worker, Query query) {
        return worker.model().equals(query.model())
                && !worker.draining()
                && query.sequenceTokensMax() <= worker.maxModelLength();
    }

    static List<WorkerView> eligible(ClusterView view, Query query) {
        return view.workers().stream().filter(w -> isEligible(w, query)).toList();
    }

    /** The cheapest eligible worker; equal ones at random. */
    static Decision cheapest(
            String policy, ClusterView view, Query query, ToDoubleFunction<WorkerView> cost, RandomGenerator random) {
        return cheapest(policy, view, query, cost, random, 0);
    }

    /** The same after each cost was raised at random by up to {@code jitter}; the decision names costs without it. */
    static Decision cheapest(
            String policy,
            ClusterView view,
            Query query,
            ToDoubleFunction<WorkerView> cost,
            RandomGenerator random,
            double jitter) {
        var candidates = new ArrayList<Candidate>(view.workers().size());
        @Nullable WorkerId best = null;
        double least = 0;
        int equal = 0;
        for (var worker : view.workers()) {
            var refusal = refusal(worker, query);
            double own = refusal.isEmpty() ? cost.applyAsDouble(worker) : 0;
            candidates.add(Candidate.of(worker, own, refusal));
            if (!refusal.isEmpty()) {
                continue;
            }
            double drawn = jitter == 0 ? own : own + jitter * random.nextDouble();
            equal = best != null && drawn == least ? equal + 1 : 1;
            if (best == null || drawn < least || (drawn == least && random.nextInt(equal) == 0)) {
                best = worker.id();
                least = drawn;
            }
        }
        return new Decision(policy, Optional.ofNullable(best), candidates);
    }
}
