package dev.kvasir.worker.engine;

import dev.kvasir.protocol.Continuation;
import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.GenerationRequest;
import dev.kvasir.protocol.Limits;
import java.util.Optional;

/** Decides on arrival whether a request could ever be answered here. What passes will end. */
final class Admission {
    private Admission() {}

    static Optional<Refusal> check(
            GenerationRequest request,
            Continuation continuation,
            EngineSettings settings,
            int vocabularySize,
            int blockCount) {
        if (!request.model().equals(settings.model())) {
            return refuse(
                    FailureKind.NOT_FOUND,
                    "model is %s but this worker serves %s",
                    Limits.shorten(request.model()),
                    settings.model());
        }
        var prompt = request.prompt();
        for (int i = 0; i < prompt.length; i++) {
            if (prompt[i] < 0 || prompt[i] >= vocabularySize) {
                return refuse(
                        FailureKind.INVALID_ARGUMENT,
                        "prompt[%d] is %d but must be in the vocabulary, [0, %d)",
                        i,
                        prompt[i],
                        vocabularySize);
            }
        }
        var known = checkKnown(request, continuation, vocabularySize);
        if (known.isPresent()) {
            return known;
        }
        int outputs = request.sampling().n();
        if (outputs > settings.limits().sequencesMax()) {
            return refuse(
                    FailureKind.INVALID_ARGUMENT,
                    "n is %d but must be at most %d (max-num-seqs)",
                    outputs,
                    settings.limits().sequencesMax());
        }
        return checkLength(prompt.length, request.sampling().maxTokens(), settings, blockCount);
    }

    private static Optional<Refusal> checkKnown(
            GenerationRequest request, Continuation continuation, int vocabularySize) {
        var outputs = continuation.outputs();
        if (!outputs.isEmpty() && outputs.size() != request.sampling().n()) {
            return refuse(
                    FailureKind.INVALID_ARGUMENT,
                    "%d outputs are to be continued but n is %d",
                    outputs.size(),
                    request.sampling().n());
        }
        for (int i = 0; i < outputs.size(); i++) {
            int[] tokens = outputs.get(i).tokens();
            if (tokens.length > request.sampling().maxTokens()) {
                return refuse(
                        FailureKind.INVALID_ARGUMENT,
                        "output %d has %d tokens but max_tokens is %d",
                        i,
                        tokens.length,
                        request.sampling().maxTokens());
            }
            for (int token : tokens) {
                if (token < 0 || token >= vocabularySize) {
                    return refuse(
                            FailureKind.INVALID_ARGUMENT,
                            "output %d has token %d but the vocabulary is [0, %d)",
                            i,
                            token,
                            vocabularySize);
                }
            }
        }
        return Optional.empty();
    }

    private static Optional<Refusal> checkLength(
            int promptLength, int maxTokens, EngineSettings settings, int blockCount) {
        long length = (long) promptLength + maxTokens;
        if (length > settings.maxModelLength()) {
            return refuse(
                    FailureKind.CONTEXT_LENGTH_EXCEEDED,
                    "prompt of %d tokens and max_tokens of %d are %d tokens but the context length is %d",
                    promptLength,
                    maxTokens,
                    length,
                    settings.maxModelLength());
        }
        // The last token is never fed back.
        long blocks = Math.ceilDiv(length - 1, settings.limits().blockSize());
        if (blocks > blockCount) {
            return refuse(
                    FailureKind.CONTEXT_LENGTH_EXCEEDED,
                    "prompt of %d tokens and max_tokens of %d need %d KV blocks of %d tokens but the worker has %d",
                    promptLength,
                    maxTokens,
                    blocks,
                    settings.limits().blockSize(),
                    blockCount);
        }
        return Optional.empty();
    }

    @SuppressWarnings("AnnotateFormatMethod") // Called with literals above.
    private static Optional<Refusal> refuse(FailureKind kind, String message, Object... values) {
        return Optional.of(Refusal.of(kind, message.formatted(values)));
    }
}
