package dev.kvasir.protocol;

import com.google.protobuf.MessageLite;
import dev.kvasir.v1.cluster.Accepted;
import dev.kvasir.v1.cluster.Failed;
import dev.kvasir.v1.cluster.Finished;
import dev.kvasir.v1.cluster.PromptScored;
import dev.kvasir.v1.cluster.Tokens;
import java.util.List;
import java.util.OptionalInt;

/** Stream events as Protobuf. */
final class EventWire {
    private static final FinishReason[] REASONS = {FinishReason.STOP, FinishReason.LENGTH, FinishReason.ABORT};

    private EventWire() {}

    static dev.kvasir.v1.cluster.Delivery write(Delivery delivery) {
        var wire = dev.kvasir.v1.cluster.Delivery.newBuilder().setAttempt(delivery.attempt());
        switch (delivery) {
            case Delivery.Unknown unknown -> wire.setUnknown(unknown.requestId().value());
            case Delivery.Superseded superseded ->
                wire.setSuperseded(superseded.requestId().value());
            case Delivery.Event event -> {
                switch (write(event.event())) {
                    case Accepted accepted -> wire.setAccepted(accepted);
                    case PromptScored scored -> wire.setPromptScored(scored);
                    case Tokens tokens -> wire.setTokens(tokens);
                    case Finished finished -> wire.setFinished(finished);
                    case Failed failed -> wire.setFailed(failed);
                    default -> throw new IllegalArgumentException("not an event: " + event);
                }
            }
        }
        return wire.build();
    }

    static Delivery read(dev.kvasir.v1.cluster.Delivery wire) {
        long attempt = WireCheck.count("attempt", wire.getAttempt());
        return switch (wire.getEventCase()) {
            case ACCEPTED -> new Delivery.Event(attempt, read(wire.getAccepted()));
            case PROMPT_SCORED -> new Delivery.Event(attempt, read(wire.getPromptScored()));
            case TOKENS -> new Delivery.Event(attempt, read(wire.getTokens()));
            case FINISHED -> new Delivery.Event(attempt, read(wire.getFinished()));
            case FAILED -> new Delivery.Event(attempt, read(wire.getFailed()));
            case UNKNOWN -> new Delivery.Unknown(WireCheck.requestId(wire.getUnknown()), attempt);
            case SUPERSEDED -> new Delivery.Superseded(WireCheck.requestId(wire.getSuperseded()), attempt);
            case EVENT_NOT_SET -> throw new IllegalArgumentException("it says nothing");
        };
    }

    private static MessageLite write(StreamEvent event) {
        return switch (event) {
            case StreamEvent.Accepted(var id, var incarnation) ->
                Accepted.newBuilder()
                        .setRequestId(id.value())
                        .setIncarnation(incarnation)
                        .build();
            case StreamEvent.PromptScored(var id, int first, var tokens) ->
                PromptScored.newBuilder()
                        .setRequestId(id.value())
                        .setFirst(first)
                        .addAllTokens(WireCheck.list(tokens, EventWire::write))
                        .build();
            case StreamEvent.Tokens(var id, var output, var first, var tokens, var cached) ->
                Tokens.newBuilder()
                        .setRequestId(id.value())
                        .setOutputIndex(output)
                        .setFirstTokenIndex(first)
                        .addAllTokens(WireCheck.list(tokens, EventWire::write))
                        .setCachedTokens(cached)
                        .build();
            case StreamEvent.Finished finished -> write(finished);
            case StreamEvent.Failed(var id, var kind, var message, var retryAfterMillis) ->
                Failed.newBuilder()
                        .setRequestId(id.value())
                        .setKind(kind.name())
                        .setMessage(message.length() > WireCheck.TEXT_MAX ? cut(message) : message)
                        .setRetryAfterMillis(retryAfterMillis)
                        .build();
        };
    }

    private static StreamEvent read(Accepted wire) {
        return new StreamEvent.Accepted(WireCheck.requestId(wire.getRequestId()), wire.getIncarnation());
    }

    private static StreamEvent read(PromptScored wire) {
        return new StreamEvent.PromptScored(
                WireCheck.requestId(wire.getRequestId()),
                WireCheck.count("first", wire.getFirst()),
                tokens(wire.getTokensList()));
    }

    private static StreamEvent read(Tokens wire) {
        return new StreamEvent.Tokens(
                WireCheck.requestId(wire.getRequestId()),
                output(wire.getOutputIndex()),
                WireCheck.count("first_token_index", wire.getFirstTokenIndex()),
                tokens(wire.getTokensList()),
                WireCheck.count("cached_tokens", wire.getCachedTokens()));
    }

    private static StreamEvent read(Finished wire) {
        int reason = wire.getReason();
        Limits.require(reason >= 1 && reason <= REASONS.length, "reason", reason, "1..3");
        return new StreamEvent.Finished(
                WireCheck.requestId(wire.getRequestId()),
                output(wire.getOutputIndex()),
                WireCheck.count("token_count", wire.getTokenCount()),
                REASONS[reason - 1],
                wire.hasStopTokenId()
                        ? OptionalInt.of(WireCheck.count("stop_token_id", wire.getStopTokenId()))
                        : OptionalInt.empty());
    }

    private static StreamEvent read(Failed wire) {
        return new StreamEvent.Failed(
                WireCheck.requestId(wire.getRequestId()),
                FailureKind.valueOf(WireCheck.text("kind", wire.getKind())),
                WireCheck.text("message", wire.getMessage()),
                WireCheck.count("retry_after_millis", wire.getRetryAfterMillis()));
    }

    private static Finished write(StreamEvent.Finished finished) {
        var wire = Finished.newBuilder()
                .setRequestId(finished.requestId().value())
                .setOutputIndex(finished.outputIndex())
                .setTokenCount(finished.tokenCount())
                .setReason(
                        switch (finished.reason()) {
                            case STOP -> 1;
                            case LENGTH -> 2;
                            case ABORT -> 3;
                        });
        finished.stopTokenId().ifPresent(wire::setStopTokenId);
        return wire.build();
    }

    private static dev.kvasir.v1.cluster.ScoredToken write(ScoredToken scored) {
        var wire = dev.kvasir.v1.cluster.ScoredToken.newBuilder()
                .setTokenId(scored.token())
                .setLogprob(scored.logprob())
                .setRank(scored.rank());
        for (int i = 0; i < scored.topIds().length; i++) {
            wire.addTopIds(scored.topIds()[i]).addTopLogprobs(scored.topLogprobs()[i]);
        }
        return wire.build();
    }

    private static List<ScoredToken> tokens(List<dev.kvasir.v1.cluster.ScoredToken> wire) {
        return WireCheck.list(wire, EventWire::read);
    }

    private static ScoredToken read(dev.kvasir.v1.cluster.ScoredToken wire) {
        int count = wire.getTopIdsCount();
        Limits.require(count <= SamplingParameters.LOGPROBS_MAX, "top_ids", count + " entries", "at most 20");
        Limits.require(
                count == wire.getTopLogprobsCount(),
                "top_logprobs",
                wire.getTopLogprobsCount() + " entries",
                "as many as top_ids (" + count + ")");
        int token = WireCheck.count("token_id", wire.getTokenId());
        if (count == 0 && wire.getRank() == 0 && Float.isNaN(wire.getLogprob())) {
            return ScoredToken.unscored(token);
        }
        var topLogprobs = new float[count];
        for (int i = 0; i < count; i++) {
            topLogprobs[i] = wire.getTopLogprobs(i);
        }
        return new ScoredToken(
                token,
                wire.getLogprob(),
                WireCheck.count("rank", wire.getRank()),
                WireCheck.counts("top_ids", wire.getTopIdsList()),
                topLogprobs);
    }

    private static int output(int index) {
        Limits.require(index >= 0 && index < SamplingParameters.N_MAX, "output_index", index, "0..15");
        return index;
    }

    private static String cut(String message) {
        int end = WireCheck.TEXT_MAX - 1;
        return message.substring(0, Character.isHighSurrogate(message.charAt(end - 1)) ? end - 1 : end) + "…";
    }
}
