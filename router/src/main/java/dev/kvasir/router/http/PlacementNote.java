package dev.kvasir.router.http;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kvasir.router.DecisionLog;
import dev.kvasir.router.placement.Decision;

/**
 * The field {@code placement} of an answer whose request said {@code return_placement}: a list of the decisions that this
 * router made for it, in order, each with the prompt's number and the candidates that were cheapest. Names and meanings are
 * those of {@code PlacementDecision} in the gRPC API.
 */
final class PlacementNote {
    private PlacementNote() {}

    /** Adds the field where the client wants it; tells whether it did. */
    static boolean addTo(ObjectNode answer, Answers answers, DecisionLog log) {
        if (!answers.get(0).request().wantsPlacement()) {
            return false;
        }
        var decisions = answer.putArray("placement");
        for (int prompt = 0; prompt < answers.size(); prompt++) {
            var id = answers.get(prompt).request().generation().id().value();
            for (var entry : log.of(id)) {
                add(decisions.addObject().put("prompt", prompt), entry);
            }
        }
        return true;
    }

    private static void add(ObjectNode node, DecisionLog.Entry entry) {
        node.put("policy", entry.decision().policy());
        node.put("prompt_tokens", entry.promptTokens());
        node.put("output_tokens_max", entry.outputTokens());
        var chosen = entry.decision().chosen();
        node.put("chosen", chosen.isPresent() ? chosen.get().address() : null);
        node.put("candidate_count", entry.candidateCount());
        node.put("unix_millis", entry.unixMillis());
        ArrayNode candidates = node.putArray("candidates");
        entry.decision().candidates().forEach(candidate -> add(candidates.addObject(), candidate));
    }

    private static void add(ObjectNode node, Decision.Candidate candidate) {
        node.put("address", candidate.worker().address());
        if (!candidate.eligible()) {
            node.put("refusal", candidate.refusal());
            return;
        }
        node.put("cost", candidate.cost());
        node.put("cached_tokens", candidate.cached().here());
        node.put("near_tokens", candidate.cached().near());
        node.put("far_tokens", candidate.cached().far());
        node.put("queued_tokens", candidate.tokens());
        node.put("requests", candidate.requests());
        node.put("free_blocks", candidate.freeBlocks());
        if (candidate.pull().exists()) {
            node.put("pull_token_cost", candidate.pull().perToken());
        }
    }
}
