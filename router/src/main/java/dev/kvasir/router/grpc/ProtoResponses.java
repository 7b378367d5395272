package dev.kvasir.router.grpc;

import com.google.protobuf.ByteString;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.router.DecisionLog;
import dev.kvasir.router.ModelText;
import dev.kvasir.router.OutputEvent.Delta;
import dev.kvasir.router.OutputEvent.Finish;
import dev.kvasir.router.OutputEvent.Started;
import dev.kvasir.router.OutputEvent.Usage;
import dev.kvasir.router.ValidRequest;
import dev.kvasir.v1.FinishReason;
import dev.kvasir.v1.GenerateResponse;
import dev.kvasir.v1.OutputDelta;
import dev.kvasir.v1.PromptReport;
import dev.kvasir.v1.TokenLogprob;
import dev.kvasir.v1.TokenLogprobs;
import java.nio.charset.StandardCharsets;

/** What came of one request, as messages of the gRPC API. */
final class ProtoResponses {
    private final ValidRequest request;
    private final ModelText text;
    private final boolean logprobs;
    private final DecisionLog decisions;

    ProtoResponses(ValidRequest request, DecisionLog decisions) {
        this.request = request;
        this.decisions = decisions;
        this.text = request.model().text();
        this.logprobs = request.generation().sampling().logprobs() != SamplingParameters.NO_LOGPROBS;
    }

    GenerateResponse started(Started event) {
        var response = response();
        var report = PromptReport.newBuilder();
        int[] prompt = request.generation().prompt();
        if (request.text().reportPromptTokens()) {
            for (int token : prompt) {
                report.addTokenIds(token);
            }
        }
        if (request.generation().sampling().promptLogprobs() != SamplingParameters.NO_LOGPROBS) {
            report.addLogprobs(TokenLogprobs.newBuilder().setToken(token(prompt[0])));
            event.promptLogprobs().forEach(token -> report.addLogprobs(scored(token)));
        }
        if (report.getTokenIdsCount() + report.getLogprobsCount() > 0) {
            response.setPrompt(report);
        }
        return response.build();
    }

    GenerateResponse delta(Delta event) {
        var delta = OutputDelta.newBuilder()
                .setIndex(event.outputIndex())
                .setFirstTokenIndex(event.firstTokenIndex())
                .setText(event.text());
        for (var token : event.tokens()) {
            delta.addTokenIds(token.token());
            if (logprobs) {
                delta.addLogprobs(scored(token));
            }
        }
        var finish = event.finish();
        if (finish != null) {
            finish(delta, finish);
        }
        return response().setOutput(delta).build();
    }

    GenerateResponse completed(Usage usage) {
        var response = response()
                .setUsage(dev.kvasir.v1.Usage.newBuilder()
                        .setPromptTokens(usage.promptTokens())
                        .setCompletionTokens(usage.completionTokens())
                        .setCachedTokens(usage.cachedTokens()));
        if (request.wantsPlacement()) {
            decisions
                    .of(request.generation().id().value())
                    .forEach(entry -> response.addPlacement(PlacementReport.decision(entry)));
        }
        return response.build();
    }

    private static void finish(OutputDelta.Builder delta, Finish finish) {
        delta.setFinishReason(
                switch (finish.reason()) {
                    case STOP -> FinishReason.FINISH_REASON_STOP;
                    case LENGTH -> FinishReason.FINISH_REASON_LENGTH;
                    case ABORT -> FinishReason.FINISH_REASON_ABORT;
                });
        if (finish.stopText() != null) {
            delta.setStopString(finish.stopText());
        }
        finish.stopToken().ifPresent(delta::setStopTokenId);
    }

    private GenerateResponse.Builder response() {
        return GenerateResponse.newBuilder()
                .setRequestId(request.generation().id().value())
                .setModel(request.model().name())
                .setUserRequestId(request.userRequestId());
    }

    private TokenLogprobs scored(ScoredToken scored) {
        var logprobs = TokenLogprobs.newBuilder()
                .setToken(token(scored.token()).setLogprob(scored.logprob()).setRank(scored.rank()));
        for (int i = 0; i < scored.topIds().length; i++) {
            logprobs.addTop(token(scored.topIds()[i])
                    .setLogprob(scored.topLogprobs()[i])
                    .setRank(i + 1));
        }
        return logprobs.build();
    }

    private TokenLogprob.Builder token(int id) {
        byte[] bytes = text.bytes(id);
        return TokenLogprob.newBuilder()
                .setTokenId(id)
                .setText(new String(bytes, StandardCharsets.UTF_8))
                .setBytes(ByteString.copyFrom(bytes));
    }
}
