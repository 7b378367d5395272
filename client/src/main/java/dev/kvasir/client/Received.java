package dev.kvasir.client;

import dev.kvasir.v1.FinishReason;
import dev.kvasir.v1.GenerateResponse;
import dev.kvasir.v1.OutputDelta;
import dev.kvasir.v1.OutputPosition;
import dev.kvasir.v1.ResumeRequest;
import io.grpc.Status;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a client has of an answer. Takes the responses of one stream after the other and gives out what is new in each: a
 * stream that was resumed brings nothing else, one that began anew is compared with what came before and cut. A decision
 * without network or clock.
 */
final class Received {
    private final Map<Integer, Output> outputs = new HashMap<>();
    private String requestId = "";
    private boolean begun;
    private boolean complete;

    /** One output. */
    private static final class Output {
        private final List<Integer> tokens = new ArrayList<>();
        private long characters;
        private boolean finished;
        /** Characters that the stream at hand has brought. */
        private long charactersNow;
    }

    /** A stream begins that tells everything from the start. */
    void beginsAnew() {
        outputs.values().forEach(output -> output.charactersNow = 0);
    }

    /** A stream begins that tells what is missing. */
    void goesOn() {
        outputs.values().forEach(output -> output.charactersNow = output.characters);
    }

    /** Whether anything has come that an answer must go on from. */
    boolean begun() {
        return begun;
    }

    /** The whole answer is there. */
    boolean complete() {
        return complete;
    }

    /** Asks for what is missing. */
    ResumeRequest resumption() {
        var request = ResumeRequest.newBuilder().setRequestId(requestId).setPromptReceived(begun);
        outputs.forEach((index, output) -> request.addReceived(OutputPosition.newBuilder()
                .setIndex(index)
                .setNextTokenIndex(output.tokens.size())
                .setFinished(output.finished)));
        return request.build();
    }

    /**
     * What is new in a response; empty where nothing is.
     *
     * @throws io.grpc.StatusRuntimeException where a stream that began anew says something else than the one before
     */
    Optional<GenerateResponse> take(GenerateResponse response) {
        boolean first = !begun;
        requestId = response.getRequestId();
        begun = true;
        if (response.hasUsage()) {
            complete = true;
        }
        if (!response.hasOutput()) {
            return first || response.hasUsage() ? Optional.of(response) : Optional.empty();
        }
        return trim(response.getOutput())
                .map(delta -> response.toBuilder().setOutput(delta).build());
    }

    private Optional<OutputDelta> trim(OutputDelta delta) {
        var output = outputs.computeIfAbsent(delta.getIndex(), _ -> new Output());
        int have = output.tokens.size();
        int from = delta.getFirstTokenIndex();
        int known = Math.clamp((long) have - from, 0, delta.getTokenIdsCount());
        require(from <= have || delta.getTokenIdsCount() == 0, "tokens are missing before token " + from);
        for (int i = 0; i < known; i++) {
            require(
                    output.tokens.get(from + i) == delta.getTokenIds(i),
                    "token %d is %d and was %d before; the model is not served deterministically"
                            .formatted(from + i, delta.getTokenIds(i), output.tokens.get(from + i)));
        }
        boolean ends = delta.getFinishReason() != FinishReason.FINISH_REASON_UNSPECIFIED;
        var text = newText(output, delta.getText());
        if (output.finished || (known == delta.getTokenIdsCount() && text.isEmpty() && !ends)) {
            return Optional.empty();
        }
        output.finished = ends;
        output.tokens.addAll(delta.getTokenIdsList().subList(known, delta.getTokenIdsCount()));
        if (known == 0 && text.length() == delta.getText().length()) {
            return Optional.of(delta);
        }
        var cut = delta.toBuilder()
                .setText(text)
                .setFirstTokenIndex(from + known)
                .clearTokenIds()
                .clearLogprobs();
        cut.addAllTokenIds(delta.getTokenIdsList().subList(known, delta.getTokenIdsCount()));
        if (delta.getLogprobsCount() > 0) {
            cut.addAllLogprobs(delta.getLogprobsList().subList(known, delta.getLogprobsCount()));
        }
        return Optional.of(cut.build());
    }

    private static String newText(Output output, String text) {
        long skip = Math.clamp(output.characters - output.charactersNow, 0, text.length());
        output.charactersNow += text.length();
        output.characters = Math.max(output.characters, output.charactersNow);
        return text.substring(Math.toIntExact(skip));
    }

    private static void require(boolean holds, String why) {
        if (!holds) {
            throw Status.DATA_LOSS.withDescription(why).asRuntimeException();
        }
    }
}
