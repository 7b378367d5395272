package dev.kvasir.router.grpc;

import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.Limits;
import dev.kvasir.router.DecisionLog;
import dev.kvasir.router.Failure;
import dev.kvasir.router.RequestFailedException;
import dev.kvasir.router.RequestIds;
import dev.kvasir.router.placement.Decision.Candidate;
import dev.kvasir.v1.ExplainPlacementResponse;
import dev.kvasir.v1.PlacementCandidate;
import dev.kvasir.v1.PlacementDecision;

/** Decisions of placement as the gRPC API tells of them. */
final class PlacementReport {
    private PlacementReport() {}

    static ExplainPlacementResponse of(DecisionLog log, String requestId) {
        var entries = log.of(RequestIds.bare(requestId));
        if (entries.isEmpty()) {
            throw new RequestFailedException(new Failure(
                    FailureKind.NOT_FOUND,
                    "request_id %s is not among the requests that this router has placed lately"
                            .formatted(Limits.shorten(requestId)),
                    "request_id",
                    0));
        }
        var response = ExplainPlacementResponse.newBuilder();
        entries.forEach(entry -> response.addDecisions(decision(entry)));
        return response.build();
    }

    static PlacementDecision.Builder decision(DecisionLog.Entry entry) {
        var message = PlacementDecision.newBuilder()
                .setPolicy(entry.decision().policy())
                .setModel(entry.model())
                .setPromptTokens(entry.promptTokens())
                .setOutputTokensMax(entry.outputTokens())
                .setCandidateCount(entry.candidateCount())
                .setUnixMillis(entry.unixMillis());
        entry.decision()
                .chosen()
                .ifPresent(worker -> message.setChosen(worker.address()).setChosenIncarnation(worker.incarnation()));
        entry.decision().candidates().forEach(c -> message.addCandidates(candidate(c)));
        return message;
    }

    private static PlacementCandidate.Builder candidate(Candidate candidate) {
        var message = PlacementCandidate.newBuilder()
                .setAddress(candidate.worker().address())
                .setIncarnation(candidate.worker().incarnation())
                .setCost(candidate.cost())
                .setCachedTokens(candidate.cached().here())
                .setNearTokens(candidate.cached().near())
                .setFarTokens(candidate.cached().far())
                .setQueuedTokens(candidate.tokens())
                .setRequests(candidate.requests())
                .setFreeBlocks(candidate.freeBlocks())
                .setRefusal(candidate.refusal());
        if (candidate.pull().exists()) {
            message.setPullTokenCost(candidate.pull().perToken());
        }
        return message;
    }
}
