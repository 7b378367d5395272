package dev.kvasir.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.v1.FinishReason;
import dev.kvasir.v1.GenerateRequest;
import dev.kvasir.v1.GenerateResponse;
import dev.kvasir.v1.InferenceGrpc;
import dev.kvasir.v1.OutputDelta;
import dev.kvasir.v1.ResumeRequest;
import dev.kvasir.v1.Usage;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.inprocess.InProcessServerBuilder;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class KvasirClientTest {
    private static final int TOKENS = 20;
    private static final Duration SOON = Duration.ofSeconds(20);

    private final List<Server> servers = new ArrayList<>();

    @AfterEach
    void stop() {
        servers.forEach(Server::shutdownNow);
    }

    /** A router that answers with tokens 100, 101, ... and breaks off where it is told to. */
    private static final class StandInRouter extends InferenceGrpc.InferenceImplBase {
        private final List<Status> failures = new ArrayList<>();
        private final SplittableRandom random = new SplittableRandom(5);
        private final List<ResumeRequest> resumed = new ArrayList<>();
        private final List<Long> seeds = new ArrayList<>();
        private boolean forgetful;

        @Override
        public synchronized void generate(GenerateRequest request, StreamObserver<GenerateResponse> responses) {
            seeds.add(request.getSampling().getSeed());
            answer(0, responses);
        }

        @Override
        public synchronized void resume(ResumeRequest request, StreamObserver<GenerateResponse> responses) {
            resumed.add(request);
            if (forgetful) {
                responses.onError(Status.NOT_FOUND.asRuntimeException());
            } else {
                answer(request.getReceived(0).getNextTokenIndex(), responses);
            }
        }

        private void answer(int from, StreamObserver<GenerateResponse> responses) {
            boolean fails = !failures.isEmpty();
            int end = fails ? random.nextInt(from + 1, TOKENS) : TOKENS;
            for (int i = from; i < end; ) {
                int to = Math.min(end, i + random.nextInt(1, 4));
                var delta = OutputDelta.newBuilder().setFirstTokenIndex(i);
                var text = new StringBuilder();
                for (; i < to; i++) {
                    delta.addTokenIds(100 + i);
                    text.append((char) ('a' + i)).append('.');
                }
                if (to == TOKENS) {
                    delta.setFinishReason(FinishReason.FINISH_REASON_LENGTH);
                }
                responses.onNext(
                        response().setOutput(delta.setText(text.toString())).build());
            }
            if (fails) {
                responses.onError(failures.removeFirst().asRuntimeException());
            } else {
                responses.onNext(response()
                        .setUsage(Usage.newBuilder().setCompletionTokens(TOKENS))
                        .build());
                responses.onCompleted();
            }
        }

        private static GenerateResponse.Builder response() {
            return GenerateResponse.newBuilder().setRequestId("r1");
        }
    }

    private KvasirClient client(StandInRouter... routers) throws IOException {
        var channels = new ArrayList<ManagedChannel>();
        for (var router : routers) {
            var name = InProcessServerBuilder.generateName();
            servers.add(InProcessServerBuilder.forName(name)
                    .directExecutor()
                    .addService(router)
                    .build()
                    .start());
            channels.add(InProcessChannelBuilder.forName(name).build());
        }
        return new KvasirClient(new Routers(channels));
    }

    private static List<GenerateResponse> read(KvasirClient client) {
        var all = new ArrayList<GenerateResponse>();
        try (var answer = client.generate(GenerateRequest.getDefaultInstance(), SOON)) {
            answer.forEachRemaining(all::add);
        }
        return all;
    }

    private static void assertWhole(List<GenerateResponse> responses) {
        var text = new StringBuilder();
        int next = 0;
        for (var response : responses) {
            text.append(response.getOutput().getText());
            if (response.getOutput().getTokenIdsCount() > 0) {
                assertThat(response.getOutput().getFirstTokenIndex()).isEqualTo(next);
            }
            for (int token : response.getOutput().getTokenIdsList()) {
                assertThat(token).isEqualTo(100 + next++);
            }
        }
        assertThat(next).isEqualTo(TOKENS);
        assertThat(text.toString()).isEqualTo("a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.");
        assertThat(responses.getLast().getUsage().getCompletionTokens()).isEqualTo(TOKENS);
    }

    @Test
    void aStreamThatBreaksOffIsResumedAtTheNextRouterAndEachTokenComesOnce() throws IOException {
        var first = new StandInRouter();
        var second = new StandInRouter();
        first.failures.add(Status.UNAVAILABLE);
        second.failures.add(Status.UNAVAILABLE);
        try (var client = client(first, second)) {
            assertWhole(read(client));
        }
        assertThat(second.resumed).hasSize(1);
        assertThat(second.resumed.getFirst().getRequestId()).isEqualTo("r1");
        assertThat(second.resumed.getFirst().getPromptReceived()).isTrue();
        assertThat(first.resumed).hasSize(1);
    }

    @Test
    void allAnswersOfALostRouterGoOnAtTheNextOne() throws IOException {
        var first = new StandInRouter();
        var second = new StandInRouter();
        first.failures.add(Status.UNAVAILABLE);
        first.failures.add(Status.UNAVAILABLE);
        try (var client = client(first, second);
                var one = client.generate(GenerateRequest.getDefaultInstance(), SOON);
                var other = client.generate(GenerateRequest.getDefaultInstance(), SOON)) {
            assertThat(one.hasNext()).isTrue();
            assertThat(other.hasNext()).isTrue();
            for (var answer : List.of(one, other)) {
                var all = new ArrayList<GenerateResponse>();
                answer.forEachRemaining(all::add);
                assertWhole(all);
            }
        }
        assertThat(first.resumed).isEmpty();
        assertThat(second.resumed).hasSize(2);
    }

    @Test
    void whatNobodyKnowsAnyMoreIsSentAnewWithTheSameSeedAndOnlyWhatIsNewIsGivenOut() throws IOException {
        var router = new StandInRouter();
        router.forgetful = true;
        router.failures.add(Status.UNAVAILABLE);
        router.failures.add(Status.UNAVAILABLE);
        try (var client = client(router)) {
            assertWhole(read(client));
        }
        assertThat(router.seeds).hasSizeGreaterThan(1);
        assertThat(router.seeds.stream().distinct()).hasSize(1);
    }

    @Test
    void whatCannotBeMendedIsThrown() throws IOException {
        var router = new StandInRouter();
        router.failures.add(Status.INTERNAL.withDescription("broken"));
        try (var client = client(router)) {
            assertThatThrownBy(() -> read(client))
                    .isInstanceOfSatisfying(
                            StatusRuntimeException.class,
                            e -> assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.INTERNAL));
        }
        assertThat(router.resumed).isEmpty();
    }
}
