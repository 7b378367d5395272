package dev.kvasir.router.grpc;

import dev.kvasir.router.Frontend;
import dev.kvasir.v1.ChatRequest;
import dev.kvasir.v1.DescribeClusterRequest;
import dev.kvasir.v1.DescribeClusterResponse;
import dev.kvasir.v1.DetokenizeRequest;
import dev.kvasir.v1.DetokenizeResponse;
import dev.kvasir.v1.ExplainPlacementRequest;
import dev.kvasir.v1.ExplainPlacementResponse;
import dev.kvasir.v1.GenerateRequest;
import dev.kvasir.v1.GenerateResponse;
import dev.kvasir.v1.InferenceGrpc;
import dev.kvasir.v1.ListModelsRequest;
import dev.kvasir.v1.ListModelsResponse;
import dev.kvasir.v1.ResumeRequest;
import dev.kvasir.v1.TokenizeRequest;
import dev.kvasir.v1.TokenizeResponse;
import io.grpc.Context;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** The gRPC API: each call is mapped to what {@link Frontend} offers, and nothing is decided here. */
final class InferenceService extends InferenceGrpc.InferenceImplBase {
    private final Frontend frontend;
    private final ClusterReport cluster;

    InferenceService(Frontend frontend) {
        this.frontend = frontend;
        this.cluster = new ClusterReport(frontend);
    }

    @Override
    public void generate(GenerateRequest request, StreamObserver<GenerateResponse> responses) {
        var draft = ProtoRequests.draft(request, System.nanoTime())
                .tenant(Callers.current().tenant());
        answer((door, timeout) -> door.submit(draft, timeout), responses);
    }

    @Override
    public void chat(ChatRequest request, StreamObserver<GenerateResponse> responses) {
        var draft = ProtoRequests.draft(request, System.nanoTime())
                .tenant(Callers.current().tenant());
        answer((door, timeout) -> door.submit(draft, timeout), responses);
    }

    @Override
    public void resume(ResumeRequest request, StreamObserver<GenerateResponse> responses) {
        var tenant = Callers.current().ownTenant();
        answer(
                (door, timeout) ->
                        door.resume(request.getRequestId(), ProtoRequests.resumePoint(request), timeout, tenant),
                responses);
    }

    @Override
    public void tokenize(TokenizeRequest request, StreamObserver<TokenizeResponse> response) {
        unary(response, () -> {
            var model = frontend.model(request.getModel());
            int[] tokens = frontend.tokenize(model, ProtoRequests.prompt(request));
            return TokenizeResponse.newBuilder()
                    .addAllTokenIds(Arrays.stream(tokens).boxed().toList())
                    .setMaxModelLen(model.maxModelLength())
                    .build();
        });
    }

    @Override
    public void detokenize(DetokenizeRequest request, StreamObserver<DetokenizeResponse> response) {
        unary(response, () -> {
            var model = frontend.model(request.getModel());
            var text = frontend.detokenize(model, "token_ids", ProtoRequests.unsigned(request.getTokenIdsList()));
            return DetokenizeResponse.newBuilder().setText(text).build();
        });
    }

    @Override
    public void listModels(ListModelsRequest request, StreamObserver<ListModelsResponse> response) {
        unary(response, cluster::models);
    }

    @Override
    public void describeCluster(DescribeClusterRequest request, StreamObserver<DescribeClusterResponse> response) {
        unary(response, cluster::members);
    }

    @Override
    public void explainPlacement(ExplainPlacementRequest request, StreamObserver<ExplainPlacementResponse> response) {
        unary(response, () -> PlacementReport.of(frontend.decisions(), request.getRequestId()));
    }

    /** The callbacks of a call wait for each other, so what waits for the client needs a thread of its own. */
    private void answer(ResponsePump.Opening opening, StreamObserver<GenerateResponse> responses) {
        var pump = new ResponsePump(frontend, (ServerCallStreamObserver<GenerateResponse>) responses);
        var context = Context.current();
        Thread.ofVirtual().name("answer").start(context.wrap(() -> pump.run(opening, timeout(context))));
    }

    private static Optional<Duration> timeout(Context context) {
        return Optional.ofNullable(context.getDeadline())
                .map(deadline -> Duration.ofNanos(Math.max(1_000_000, deadline.timeRemaining(TimeUnit.NANOSECONDS))));
    }

    private static <T> void unary(StreamObserver<T> observer, Supplier<T> answer) {
        T message;
        try {
            message = answer.get();
        } catch (RuntimeException e) {
            observer.onError(GrpcErrors.of(e));
            return;
        }
        observer.onNext(message);
        observer.onCompleted();
    }
}
