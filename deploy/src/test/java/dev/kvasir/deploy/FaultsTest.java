package dev.kvasir.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.client.Answer;
import dev.kvasir.client.KvasirClient;
import dev.kvasir.v1.ChatMessage;
import dev.kvasir.v1.ChatRequest;
import dev.kvasir.v1.DescribeClusterRequest;
import dev.kvasir.v1.GenerateRequest;
import dev.kvasir.v1.GenerateResponse;
import dev.kvasir.v1.InferenceGrpc;
import dev.kvasir.v1.Report;
import dev.kvasir.v1.Sampling;
import io.grpc.Channel;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Routers and workers in processes of their own, and what happens to processes, under load. */
final class FaultsTest {
    private static final Duration TIMEOUT = Duration.ofMinutes(4);
    private static final int MAX_TOKENS = 400;
    private static final int TOKENS_BEFORE_FAULT = 150;

    @TempDir
    private Path folder;

    private final List<MemberProcess> members = new ArrayList<>();

    @AfterEach
    void endAll() {
        members.forEach(MemberProcess::kill);
    }

    private MemberProcess member(String name, String... arguments) throws IOException {
        var member = MemberProcess.start(folder, name, arguments);
        members.add(member);
        return member;
    }

    /** One output as a client has it in the end. */
    private static final class Output {
        private final StringBuilder text = new StringBuilder();
        private final List<Integer> tokens = new ArrayList<>();
        private final List<Float> logprobs = new ArrayList<>();
        private String end = "";
    }

    private static String describe(Answer answer, Runnable onToken) {
        var outputs = new ArrayList<Output>();
        var usage = new StringBuilder();
        try (answer) {
            while (answer.hasNext()) {
                var response = answer.next();
                take(response, outputs, usage);
                IntStream.range(0, response.getOutput().getTokenIdsCount()).forEach(_ -> onToken.run());
            }
        }
        var all = new StringBuilder();
        for (var output : outputs) {
            all.append("%s %s %s %s%n".formatted(output.text, output.tokens, output.logprobs, output.end));
        }
        return all.append(usage).toString();
    }

    private static void take(GenerateResponse response, List<Output> outputs, StringBuilder usage) {
        if (response.hasOutput()) {
            var delta = response.getOutput();
            while (outputs.size() <= delta.getIndex()) {
                outputs.add(new Output());
            }
            var output = outputs.get(delta.getIndex());
            if (delta.getTokenIdsCount() > 0) {
                assertThat(delta.getFirstTokenIndex()).isEqualTo(output.tokens.size());
            }
            output.text.append(delta.getText());
            output.tokens.addAll(delta.getTokenIdsList());
            delta.getLogprobsList()
                    .forEach(scored -> output.logprobs.add(scored.getToken().getLogprob()));
            if (delta.getFinishReasonValue() != 0) {
                output.end = delta.getFinishReason() + delta.getStopString();
            }
        }
        if (response.hasUsage()) {
            usage.append(response.getUsage().getPromptTokens())
                    .append('+')
                    .append(response.getUsage().getCompletionTokens());
        }
    }

    /** Greedy, seeded, penalties, several outputs, log-probabilities, stop texts. */
    private static List<Function<KvasirClient, Answer>> requests() {
        var endless = Sampling.newBuilder().setMaxTokens(MAX_TOKENS).setIgnoreEos(true);
        var greedy = endless.clone().setTemperature(0).build();
        var seeded = endless.clone().setTemperature(0.8f).setSeed(7).setN(2).build();
        var penalised = endless.clone()
                .setTemperature(1)
                .setSeed(8)
                .setRepetitionPenalty(1.1f)
                .setPresencePenalty(0.3f)
                .setFrequencyPenalty(0.1f)
                .setTopK(20)
                .build();
        var stopping = endless.clone()
                .setTemperature(0.9f)
                .setSeed(9)
                .addStop("never said")
                .build();
        var scores = Report.newBuilder().setLogprobs(2).build();
        return List.of(
                client -> client.generate(text("What is 17 + 25?", greedy).build(), TIMEOUT),
                client -> client.generate(
                        text("Once upon a time", seeded).setReport(scores).build(), TIMEOUT),
                client ->
                        client.generate(text("Copy this list: 1 2 3", penalised).build(), TIMEOUT),
                client -> client.chat(
                        ChatRequest.newBuilder()
                                .addMessages(
                                        ChatMessage.newBuilder().setRole("user").setContent("Write JSON for: name Ada"))
                                .setSampling(stopping)
                                .build(),
                        TIMEOUT));
    }

    private static GenerateRequest.Builder text(String prompt, Sampling sampling) {
        return GenerateRequest.newBuilder().setText(prompt).setSampling(sampling);
    }

    /** All answers, with a fault once they have come some way. */
    private static List<String> answers(KvasirClient client, Runnable fault) throws Exception {
        var tokens = new AtomicInteger();
        var struck = new AtomicBoolean();
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            var answers = new ArrayList<Future<String>>();
            for (var request : requests()) {
                answers.add(threads.submit(() -> describe(request.apply(client), () -> {
                    if (tokens.incrementAndGet() >= TOKENS_BEFORE_FAULT && struck.compareAndSet(false, true)) {
                        fault.run();
                    }
                })));
            }
            var texts = new ArrayList<String>();
            for (var answer : answers) {
                texts.add(answer.get());
            }
            assertThat(struck).isTrue();
            return texts;
        }
    }

    /** Waits until a router knows so many workers. */
    private static void awaitWorkers(String router, int count) {
        long end = System.nanoTime() + TIMEOUT.toNanos();
        var channel = NettyChannelBuilder.forTarget(router).usePlaintext().build();
        try {
            while (serving(channel) < count) {
                assertThat(System.nanoTime())
                        .as("%d workers at %s", count, router)
                        .isLessThan(end);
                LockSupport.parkNanos(50_000_000);
            }
        } finally {
            channel.shutdownNow();
        }
    }

    private static long serving(Channel channel) {
        try {
            return InferenceGrpc.newBlockingStub(channel)
                    .describeCluster(DescribeClusterRequest.getDefaultInstance())
                    .getMembersList()
                    .stream()
                    .filter(member -> member.hasWorker()
                            && member.getWorker().getRefusal().isEmpty()
                            && !member.getWorker().getDraining())
                    .count();
        } catch (StatusRuntimeException _) {
            return 0;
        }
    }

    @Test
    void clientsSeeNothingOfLostPausedAndDrainedWorkersNorOfALostRouter() throws Exception {
        var first = member("router-1", "--roles", "router");
        var seed = first.awaitReady();
        var join = seed.path("cluster").asText();
        var firstDoor = seed.path("grpc").asText();
        var second = member("router-2", "--roles", "router", "--join", join);
        var a = member("worker-a", "--roles", "worker", "--join", join);
        var b = member("worker-b", "--roles", "worker", "--join", join);
        a.awaitReady();
        var drainAddress = b.awaitReady().path("cluster").asText();
        var secondDoor = second.awaitReady().path("grpc").asText();
        awaitWorkers(firstDoor, 2);
        awaitWorkers(secondDoor, 2);
        try (var client = KvasirClient.connect(List.of(firstDoor));
                var failover = KvasirClient.connect(List.of(firstDoor, secondDoor))) {
            var expected = answers(client, () -> {});

            var c = member("worker-c", "--roles", "worker", "--join", join);
            c.awaitReady();
            awaitWorkers(firstDoor, 3);
            assertThat(answers(client, a::kill)).as("after kill -9 of a worker").isEqualTo(expected);

            awaitWorkers(firstDoor, 2);
            assertThat(answers(client, c::stop)).as("while a worker is stopped").isEqualTo(expected);
            c.goOn();
            awaitWorkers(firstDoor, 2);
            awaitWorkers(secondDoor, 2);

            assertThat(answers(failover, first::kill))
                    .as("after kill -9 of a router")
                    .isEqualTo(expected);

            awaitWorkers(secondDoor, 2);
            assertThat(answers(failover, () -> drain(secondDoor, drainAddress)))
                    .as("while a worker drains")
                    .isEqualTo(expected);
            assertThat(b.awaitEnd()).as(b::log).isZero();
        }
    }

    private static void drain(String router, String member) {
        assertThat(Kvasir.commandLine().execute("drain", member, "--grpc", router))
                .isZero();
    }
}
