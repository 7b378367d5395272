package dev.kvasir.chaos.sharing;

import dev.kvasir.v1.ExplainPlacementRequest;
import dev.kvasir.v1.GenerateRequest;
import dev.kvasir.v1.InferenceGrpc;
import dev.kvasir.v1.Sampling;
import dev.kvasir.v1.TokenIds;
import dev.kvasir.v1.Usage;
import io.grpc.ManagedChannel;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A router, as a client sees it who looks at the clock. */
final class Door implements AutoCloseable {
    private static final long TIMEOUT_SECONDS = 300;

    private final ManagedChannel channel;
    private final InferenceGrpc.InferenceBlockingStub stub;
    private final URI http;
    private final HttpClient client = HttpClient.newHttpClient();

    Door(String grpcAddress, URI httpAddress) {
        channel = NettyChannelBuilder.forTarget(grpcAddress).usePlaintext().build();
        stub = InferenceGrpc.newBlockingStub(channel);
        http = httpAddress;
    }

    /** What came of a prompt: figures, and the prompt with its answer. */
    record Answered(Sample sample, List<Integer> tokens) {
        Answered {
            tokens = List.copyOf(tokens);
        }
    }

    /** Sends a prompt and waits for the end of the answer, which has {@code outputTokens}. */
    Answered ask(int[] prompt, int outputTokens) {
        var request = GenerateRequest.newBuilder()
                .setModel("demo")
                .setTokens(TokenIds.newBuilder()
                        .addAllIds(() -> Arrays.stream(prompt).iterator()))
                .setSampling(Sampling.newBuilder()
                        .setMaxTokens(outputTokens)
                        .setTemperature(0)
                        .setIgnoreEos(true))
                .build();
        var tokens = new ArrayList<>(Arrays.stream(prompt).boxed().toList());
        var usage = Usage.getDefaultInstance();
        var id = "";
        long began = System.nanoTime();
        long first = 0;
        var responses =
                stub.withDeadlineAfter(TIMEOUT_SECONDS, TimeUnit.SECONDS).generate(request);
        while (responses.hasNext()) {
            var response = responses.next();
            id = response.getRequestId();
            for (int token : response.getOutput().getTokenIdsList()) {
                first = first == 0 ? System.nanoTime() : first;
                tokens.add(token);
            }
            usage = response.hasUsage() ? response.getUsage() : usage;
        }
        long ended = System.nanoTime();
        return new Answered(
                new Sample(
                        (first - began) / 1e6,
                        (ended - began) / 1e6,
                        usage.getPromptTokens(),
                        usage.getCachedTokens(),
                        workerOf(id)),
                tokens);
    }

    private String workerOf(String requestId) {
        var decisions = stub.withDeadlineAfter(TIMEOUT_SECONDS, TimeUnit.SECONDS)
                .explainPlacement(ExplainPlacementRequest.newBuilder()
                        .setRequestId(requestId)
                        .build())
                .getDecisionsList();
        // Without the life of the member.
        return decisions.isEmpty() ? "" : decisions.getLast().getChosen().replaceFirst("#.*$", "");
    }

    /** A metric's value, over all its labels. */
    double metric(String name) throws IOException, InterruptedException {
        var answer =
                client.send(HttpRequest.newBuilder(http.resolve("/metrics")).build(), BodyHandlers.ofString());
        return answer.body()
                .lines()
                .filter(line -> line.startsWith(name + " ") || line.startsWith(name + "{"))
                .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
                .sum();
    }

    @Override
    public void close() {
        channel.shutdownNow();
        client.shutdownNow();
    }
}
