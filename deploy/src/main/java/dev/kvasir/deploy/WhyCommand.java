package dev.kvasir.deploy;

import dev.kvasir.client.KvasirClient;
import dev.kvasir.v1.ExplainPlacementRequest;
import dev.kvasir.v1.ExplainPlacementResponse;
import dev.kvasir.v1.InferenceGrpc;
import dev.kvasir.v1.PlacementDecision;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import java.io.PrintWriter;
import java.time.Instant;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code kvasir why}: why a request went to the worker that it went to. */
@Command(
        name = "why",
        sortOptions = false,
        description = {
            "Shows why a router gave a request to its worker: what each candidate had of the prompt, its load and its cost.",
            "A router remembers the last thousand requests that it has placed."
        })
final class WhyCommand implements Callable<Integer> {
    private static final int TIMEOUT_SECONDS = 5;

    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "REQUEST_ID", description = "The id that each response carries.")
    private String requestId;

    @Option(
            names = "--grpc",
            paramLabel = "HOST:PORT",
            defaultValue = "127.0.0.1:50051",
            description =
                    "gRPC door of the router that placed it; https://HOST:PORT for TLS (default: ${DEFAULT-VALUE}).")
    private String router;

    @Mixin
    private ClientFlags client;

    @Override
    public Integer call() {
        var channel = KvasirClient.channel(router, client.grpc(router));
        try {
            var out = spec.commandLine().getOut();
            ask(channel).getDecisionsList().forEach(decision -> print(out, decision));
            return Kvasir.SUCCESS;
        } finally {
            channel.shutdownNow();
        }
    }

    private ExplainPlacementResponse ask(ManagedChannel channel) {
        try {
            return InferenceGrpc.newBlockingStub(channel)
                    .withDeadlineAfter(TIMEOUT_SECONDS, TimeUnit.SECONDS)
                    .explainPlacement(ExplainPlacementRequest.newBuilder()
                            .setRequestId(requestId)
                            .build());
        } catch (StatusRuntimeException e) {
            throw CallFailure.of(router, "does not say why", e);
        }
    }

    private static void print(PrintWriter out, PlacementDecision decision) {
        out.printf(
                "%s  policy %s, model %s, %d prompt tokens, at most %d output tokens: %s%n",
                Instant.ofEpochMilli(decision.getUnixMillis()),
                decision.getPolicy(),
                decision.getModel(),
                decision.getPromptTokens(),
                decision.getOutputTokensMax(),
                decision.getChosen().isEmpty() ? "no worker" : "to " + decision.getChosen());
        out.printf(
                "  %-40s %12s %8s %8s %8s %8s %8s %8s %8s%n",
                "WORKER", "COST", "CACHED", "NEAR", "FAR", "PULL", "QUEUED", "REQUESTS", "FREE");
        for (var candidate : decision.getCandidatesList()) {
            var name = candidate.getAddress() + "#" + Long.toHexString(candidate.getIncarnation());
            if (candidate.getRefusal().isEmpty()) {
                out.printf(
                        Locale.ROOT,
                        "  %-40s %12.1f %8d %8d %8d %8s %8d %8d %8d%n",
                        name,
                        candidate.getCost(),
                        candidate.getCachedTokens(),
                        candidate.getNearTokens(),
                        candidate.getFarTokens(),
                        candidate.hasPullTokenCost()
                                ? String.format(Locale.ROOT, "%.3f", candidate.getPullTokenCost())
                                : "-",
                        candidate.getQueuedTokens(),
                        candidate.getRequests(),
                        candidate.getFreeBlocks());
            } else {
                out.printf("  %-40s %s%n", name, candidate.getRefusal());
            }
        }
        if (decision.getCandidateCount() > decision.getCandidatesCount()) {
            out.printf("  and %d more%n", decision.getCandidateCount() - decision.getCandidatesCount());
        }
    }
}
