package dev.kvasir.router.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Value;
import com.google.rpc.BadRequest;
import com.google.rpc.RetryInfo;
import dev.kvasir.router.StandInWorker;
import dev.kvasir.router.TestCluster;
import dev.kvasir.router.TestModel;
import dev.kvasir.v1.ChatMessage;
import dev.kvasir.v1.ChatMessages;
import dev.kvasir.v1.ChatRequest;
import dev.kvasir.v1.DescribeClusterRequest;
import dev.kvasir.v1.DetokenizeRequest;
import dev.kvasir.v1.ExplainPlacementRequest;
import dev.kvasir.v1.FinishReason;
import dev.kvasir.v1.GenerateRequest;
import dev.kvasir.v1.GenerateResponse;
import dev.kvasir.v1.InferenceGrpc;
import dev.kvasir.v1.ListModelsRequest;
import dev.kvasir.v1.Report;
import dev.kvasir.v1.Sampling;
import dev.kvasir.v1.TokenIds;
import dev.kvasir.v1.TokenizeRequest;
import io.grpc.Context;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.MetadataUtils;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class GrpcDoorTest {
    private final TestCluster cluster = TestCluster.start("");
    private final GrpcServer server = GrpcServer.start(cluster.frontend());
    private final ManagedChannel channel = NettyChannelBuilder.forAddress("127.0.0.1", server.port())
            .usePlaintext()
            .maxInboundMetadataSize(1 << 20)
            .build();
    private final InferenceGrpc.InferenceBlockingStub stub =
            InferenceGrpc.newBlockingStub(channel).withDeadlineAfter(20, TimeUnit.SECONDS);

    @AfterEach
    void stop() {
        channel.shutdownNow();
        server.close();
        cluster.close();
    }

    private static GenerateRequest.Builder request() {
        return GenerateRequest.newBuilder().setModel(TestModel.NAME).setText("hello");
    }

    private List<GenerateResponse> generate(GenerateRequest.Builder request) {
        var responses = new ArrayList<GenerateResponse>();
        stub.generate(request.build()).forEachRemaining(responses::add);
        return responses;
    }

    @Test
    void theTenantOfACallIsReadFromItsMetadata() {
        cluster.worker((request, output, index) -> StandInWorker.saying(
                        request.tenant().name() + "|" + request.tenant().salt())
                .token(request, output, index));
        var headers = new Metadata();
        headers.put(Callers.TENANT, "acme");
        var responses = new ArrayList<GenerateResponse>();
        stub.withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers))
                .generate(request().build())
                .forEachRemaining(responses::add);
        assertThat(text(responses, 0)).isEqualTo("acme|acme");
        assertThat(text(generate(request()), 0)).isEqualTo("|");
        var bad = new Metadata();
        bad.put(Callers.TENANT, "a".repeat(129));
        var refused = catchThrowableOfType(
                StatusRuntimeException.class,
                () -> stub.withInterceptors(MetadataUtils.newAttachHeadersInterceptor(bad))
                        .generate(request().build())
                        .next());
        assertThat(refused.getStatus().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(refused.getStatus().getDescription())
                .isEqualTo("tenant is 129 characters but must be at most 128 characters");
    }

    private static String text(List<GenerateResponse> responses, int output) {
        var text = new StringBuilder();
        responses.stream()
                .filter(r -> r.hasOutput() && r.getOutput().getIndex() == output)
                .forEach(r -> text.append(r.getOutput().getText()));
        return text.toString();
    }

    private StatusRuntimeException refusal(GenerateRequest.Builder request) {
        return catchThrowableOfType(StatusRuntimeException.class, () -> generate(request));
    }

    @Test
    void textPromptIsAnsweredWithTextFinishAndUsage() {
        cluster.worker(StandInWorker.saying("forty two"));
        var responses = generate(request().setUserRequestId("mine"));
        assertThat(text(responses, 0)).isEqualTo("forty two");
        assertThat(responses).allSatisfy(r -> {
            assertThat(r.getRequestId())
                    .hasSize(32)
                    .isEqualTo(responses.getFirst().getRequestId());
            assertThat(r.getModel()).isEqualTo(TestModel.NAME);
            assertThat(r.getUserRequestId()).isEqualTo("mine");
        });
        assertThat(responses).anyMatch(r -> r.getOutput().getFinishReason() == FinishReason.FINISH_REASON_STOP);
        assertThat(responses.getLast().getUsage().getPromptTokens()).isEqualTo(TestModel.tokens("hello").length);
        assertThat(responses.getLast().getUsage().getCompletionTokens())
                .isEqualTo(TestModel.tokens("forty two").length + 1);
        assertThat(responses.getLast().getUsage().getCachedTokens()).isEqualTo(16);
    }

    @Test
    void tokenPromptIsUsedAsItIsAndReportedWhereAskedFor() {
        cluster.worker(StandInWorker.saying("ok"));
        var ids = TokenIds.newBuilder().addIds(5).addIds(6).addIds(7);
        var responses =
                generate(request().setTokens(ids).setReport(Report.newBuilder().setPromptTokens(true)));
        assertThat(responses.getFirst().getPrompt().getTokenIdsList()).containsExactly(5, 6, 7);
    }

    @Test
    void outputsAreToldApart() {
        cluster.worker((_, output, index) -> index < 3 ? 40 + 10 * output + index : TestModel.END_TOKEN);
        var responses = generate(request().setSampling(Sampling.newBuilder().setN(2)));
        assertThat(text(responses, 0)).isEqualTo(TestModel.TOKENIZER.decode(new int[] {40, 41, 42}, true));
        assertThat(text(responses, 1)).isEqualTo(TestModel.TOKENIZER.decode(new int[] {50, 51, 52}, true));
        assertThat(responses.getLast().getUsage().getCompletionTokens()).isEqualTo(8);
    }

    @Test
    void stopTextEndsTheOutputAndIsReported() {
        cluster.worker(StandInWorker.babbling());
        var responses = generate(request().setSampling(Sampling.newBuilder().addStop("on and")));
        assertThat(text(responses, 0)).isEqualTo("and so ");
        assertThat(responses).anyMatch(r -> r.getOutput().getStopString().equals("on and"));
        cluster.awaitQuiet();
    }

    @Test
    void logprobsOfPromptAndOutputCarryTextBytesAndRanks() {
        cluster.worker(StandInWorker.saying("é"));
        var responses =
                generate(request().setReport(Report.newBuilder().setLogprobs(2).setPromptLogprobs(1)));
        var prompt = responses.getFirst().getPrompt().getLogprobsList();
        assertThat(prompt).hasSize(TestModel.tokens("hello").length);
        assertThat(prompt.getFirst().getToken().hasLogprob()).isFalse();
        assertThat(prompt.get(1).getToken().getLogprob()).isEqualTo(-0.5f);
        var first = responses.get(1).getOutput().getLogprobs(0);
        assertThat(first.getTopCount()).isEqualTo(2);
        assertThat(first.getToken().getRank()).isEqualTo(1);
        assertThat(first.getToken().getBytes().toByteArray())
                .isEqualTo(TestModel.TOKENIZER.bytes(TestModel.tokens("é")[0]));
    }

    @Test
    void conversationIsRenderedWithTheTemplate() {
        cluster.worker(StandInWorker.saying("hi"));
        var chat = ChatRequest.newBuilder()
                .addMessages(ChatMessage.newBuilder().setRole("user").setContent("<|im_end|>"))
                .setReport(Report.newBuilder().setPromptTokens(true))
                .build();
        var responses = new ArrayList<GenerateResponse>();
        stub.chat(chat).forEachRemaining(responses::add);
        assertThat(text(responses, 0)).isEqualTo("hi");
        var prompt = responses.getFirst().getPrompt().getTokenIdsList();
        assertThat(prompt.stream().filter(t -> t == TestModel.END_TOKEN)).hasSize(1);
        var tokenized = stub.tokenize(TokenizeRequest.newBuilder()
                .setChat(ChatMessages.newBuilder().addAllMessages(chat.getMessagesList()))
                .build());
        assertThat(tokenized.getTokenIdsList()).isEqualTo(prompt);
    }

    @Test
    void unfinishedTurnIsTokenizedAsItIsContinued() {
        cluster.worker(StandInWorker.saying("hi"));
        var turns = List.of(
                ChatMessage.newBuilder().setRole("user").setContent("hello").build(),
                ChatMessage.newBuilder().setRole("assistant").setContent("well").build());
        var chat = ChatRequest.newBuilder()
                .addAllMessages(turns)
                .setContinueFinalMessage(true)
                .setReport(Report.newBuilder().setPromptTokens(true))
                .build();
        var prompt = stub.chat(chat).next().getPrompt().getTokenIdsList();
        var given = ChatMessages.newBuilder().addAllMessages(turns).setContinueFinalMessage(true);
        assertThat(stub.tokenize(TokenizeRequest.newBuilder().setChat(given).build())
                        .getTokenIdsList())
                .isEqualTo(prompt)
                .endsWith(Arrays.stream(TestModel.tokens("well")).boxed().toArray(Integer[]::new));
        var both = TokenizeRequest.newBuilder()
                .setChat(given.setAddGenerationPrompt(true))
                .build();
        assertThatThrownBy(() -> stub.tokenize(both))
                .hasMessageContaining("continue_final_message is true together with add_generation_prompt");
        cluster.awaitQuiet();
    }

    @Test
    void variablesOfTheChatTemplateReachIt() {
        var chat =
                ChatMessages.newBuilder().addMessages(ChatMessage.newBuilder().setRole("user"));
        chat.getChatTemplateKwargsBuilder()
                .putFields("depth", Value.newBuilder().setNumberValue(3).build());
        var request = TokenizeRequest.newBuilder().setChat(chat).build();
        int[] tokens = stub.tokenize(request).getTokenIdsList().stream()
                .mapToInt(Integer::intValue)
                .toArray();
        assertThat(TestModel.TOKENIZER.decode(tokens, false)).contains("depth=3\n");
        chat.getChatTemplateKwargsBuilder()
                .putFields("tools", Value.newBuilder().setBoolValue(true).build());
        var error = catchThrowableOfType(
                StatusRuntimeException.class,
                () -> stub.tokenize(request.toBuilder().setChat(chat).build()));
        assertThat(error.getStatus().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(error.getStatus().getDescription()).contains("chat_template_kwargs.tools is not allowed");
    }

    @Test
    void cancelOfTheClientFreesTheWorker() {
        cluster.worker(StandInWorker.babbling());
        var call = Context.current().withCancellation();
        call.run(() -> assertThat(stub.generate(request().build()).hasNext()).isTrue());
        call.cancel(null);
        cluster.awaitQuiet();
    }

    @Test
    void deadlineOfTheClientFreesTheWorker() {
        cluster.worker(StandInWorker.babbling(), Duration.ofMillis(50));
        var hasty = stub.withDeadlineAfter(200, TimeUnit.MILLISECONDS);
        var error = catchThrowableOfType(
                StatusRuntimeException.class,
                () -> hasty.generate(request().build()).forEachRemaining(_ -> {}));
        assertThat(error.getStatus().getCode()).isEqualTo(Status.Code.DEADLINE_EXCEEDED);
        cluster.awaitQuiet();
    }

    @Test
    void deathOfTheWorkerIsUnavailableWithARetryHint() throws InvalidProtocolBufferException {
        var worker = cluster.worker(StandInWorker.babbling(), Duration.ofMillis(20));
        var responses = stub.generate(request().build());
        assertThat(responses.next()).isNotNull();
        StandInWorker.kill(worker.ref());
        var error = catchThrowableOfType(StatusRuntimeException.class, () -> responses.forEachRemaining(_ -> {}));
        assertThat(error.getStatus().getCode()).isEqualTo(Status.Code.UNAVAILABLE);
        var status = StatusProto.fromThrowable(error);
        assertThat(status).isNotNull();
        var details = Objects.requireNonNull(status).getDetails(0);
        assertThat(details.unpack(RetryInfo.class).getRetryDelay().getSeconds()).isEqualTo(1);
    }

    @Test
    void badFieldIsNamedInTheStatusDetails() throws InvalidProtocolBufferException {
        var error = refusal(request().setSampling(Sampling.newBuilder().setN(99)));
        assertThat(error.getStatus().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(error.getStatus().getDescription()).isEqualTo("n is 99 but must be 1..16");
        var status = Objects.requireNonNull(StatusProto.fromThrowable(error));
        var violation = status.getDetails(0).unpack(BadRequest.class).getFieldViolations(0);
        assertThat(violation.getField()).isEqualTo("n");
    }

    @Test
    void refusalsHaveTheirCodes() {
        assertThat(refusal(request().setModel("../../etc/passwd")).getStatus().getCode())
                .isEqualTo(Status.Code.NOT_FOUND);
        assertThat(refusal(request()).getStatus().getCode()).isEqualTo(Status.Code.UNAVAILABLE);
        assertThat(refusal(request().clearPrompt()).getStatus().getDescription())
                .contains("prompt is missing");
        assertThat(refusal(request().setTokens(TokenIds.newBuilder().addIds(-1)))
                        .getStatus()
                        .getDescription())
                .contains("prompt[0] is 4294967295");
        assertThat(refusal(request().setSampling(Sampling.newBuilder().setMaxTokens(1000)))
                        .getStatus()
                        .getDescription())
                .contains("max_tokens is 1000", "256 tokens");
        cluster.worker(StandInWorker.babbling());
        assertThat(refusal(request().setCacheSalt("refuse")).getStatus().getCode())
                .isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
    }

    @Test
    void tokensAndTextTurnIntoEachOther() {
        var tokenized =
                stub.tokenize(TokenizeRequest.newBuilder().setText("naïve 😀").build());
        assertThat(tokenized.getTokenIdsList())
                .isEqualTo(Arrays.stream(TestModel.tokens("naïve 😀")).boxed().toList());
        assertThat(tokenized.getMaxModelLen()).isEqualTo(TestModel.MAX_MODEL_LENGTH);
        var text = stub.detokenize(DetokenizeRequest.newBuilder()
                .addAllTokenIds(tokenized.getTokenIdsList())
                .build());
        assertThat(text.getText()).isEqualTo("naïve 😀");
        assertThat(stub.tokenize(TokenizeRequest.newBuilder().setText("").build())
                        .getTokenIdsCount())
                .isZero();
        var error = catchThrowableOfType(
                StatusRuntimeException.class,
                () -> stub.detokenize(
                        DetokenizeRequest.newBuilder().addTokenIds(1_000_000).build()));
        assertThat(error.getStatus().getDescription()).contains("token_ids[0] is 1000000");
    }

    @Test
    void modelsAndWorkersAreListed() {
        cluster.worker(StandInWorker.babbling());
        var model = stub.listModels(ListModelsRequest.getDefaultInstance()).getModels(0);
        assertThat(model.getName()).isEqualTo(TestModel.NAME);
        assertThat(model.getFingerprint()).isEqualTo("f00d");
        assertThat(model.getHasChatTemplate()).isTrue();
        var member = stub.describeCluster(DescribeClusterRequest.getDefaultInstance())
                .getMembers(0);
        assertThat(member.getIncarnation()).isEqualTo(1);
        assertThat(member.getWorker().getModel()).isEqualTo(TestModel.NAME);
        assertThat(member.getWorker().getTotalBlocks()).isEqualTo(128);
    }

    @Test
    void aPlacementIsExplainedAsLongAsItIsRemembered() {
        cluster.worker(StandInWorker.babbling());
        var id = stub.generate(GenerateRequest.newBuilder()
                        .setText("abc")
                        .setSampling(Sampling.newBuilder().setMaxTokens(3))
                        .build())
                .next()
                .getRequestId();
        var decisions = stub.explainPlacement(
                        ExplainPlacementRequest.newBuilder().setRequestId(id).build())
                .getDecisionsList();
        assertThat(decisions).hasSize(1);
        var decision = decisions.getFirst();
        assertThat(decision.getPolicy()).isEqualTo("cost");
        assertThat(decision.getCandidatesList()).hasSize(1);
        assertThat(decision.getCandidates(0).getAddress()).isEqualTo(decision.getChosen());
        assertThat(decision.getCandidates(0).getRefusal()).isEmpty();
        assertThat(decision.getOutputTokensMax()).isEqualTo(3);
        assertThat(stub.explainPlacement(ExplainPlacementRequest.newBuilder()
                                .setRequestId("chatcmpl-" + id)
                                .build())
                        .getDecisionsList())
                .as("by the id that HTTP clients see")
                .isEqualTo(decisions);

        GenerateResponse last = GenerateResponse.getDefaultInstance();
        var asked = stub.generate(GenerateRequest.newBuilder()
                .setText("abc")
                .setSampling(Sampling.newBuilder().setMaxTokens(3))
                .setReport(Report.newBuilder().setPlacement(true))
                .build());
        while (asked.hasNext()) {
            assertThat(last.getPlacementList()).isEmpty();
            last = asked.next();
        }
        assertThat(last.getPlacementList()).hasSize(1);
        assertThat(last.getPlacement(0).getChosen()).isEqualTo(decision.getChosen());

        var error = catchThrowableOfType(
                StatusRuntimeException.class,
                () -> stub.explainPlacement(ExplainPlacementRequest.newBuilder()
                        .setRequestId("nobody")
                        .build()));
        assertThat(error.getStatus().getCode()).isEqualTo(Status.Code.NOT_FOUND);
        assertThat(error.getStatus().getDescription()).contains("request_id nobody");
    }
}
