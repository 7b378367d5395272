package dev.kvasir.router;

import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.protocol.StreamEvent;
import dev.kvasir.protocol.StreamEvent.Accepted;
import dev.kvasir.protocol.StreamEvent.Failed;
import dev.kvasir.protocol.StreamEvent.Finished;
import dev.kvasir.protocol.StreamEvent.PromptScored;
import dev.kvasir.protocol.StreamEvent.Tokens;
import dev.kvasir.router.OutputEvent.Completed;
import dev.kvasir.router.OutputEvent.Started;
import dev.kvasir.router.OutputEvent.Usage;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * What is known of one request's answer, and what each message about it means: values in, effects out, no clock, no
 * actor. Each token is taken exactly once and in order: what was seen before is dropped, and a gap fails the request,
 * because text with a hole is worse than none.
 */
public final class StreamState {
    /** What the owner is to do, in order. */
    public sealed interface Effect {
        record Emit(OutputEvent event) implements Effect {}

        /** Tell the worker that no more of this output is wanted. */
        record CancelOutput(int outputIndex) implements Effect {}
    }

    private final ValidRequest request;
    private final List<OutputState> outputs;
    private final List<ScoredToken> promptLogprobs = new ArrayList<>();
    private boolean started;
    private boolean ended;
    private int cachedTokens;

    public StreamState(ValidRequest request) {
        this.request = request;
        this.outputs = IntStream.range(0, request.generation().sampling().n())
                .mapToObj(i -> new OutputState(i, request))
                .toList();
    }

    /** All outputs have finished, or the request has failed; nothing more will come of it. */
    public boolean ended() {
        return ended;
    }

    public List<Effect> accept(StreamEvent event) {
        if (ended || !event.requestId().equals(request.generation().id())) {
            return List.of();
        }
        return switch (event) {
            case Accepted _ -> List.of();
            case PromptScored scored -> promptScored(scored.tokens());
            case Tokens tokens -> tokens(tokens);
            case Finished finished -> finished(finished);
            case Failed failed -> fail(Failure.retryable(failed.kind(), failed.message(), failed.retryAfterMillis()));
        };
    }

    /** The request cannot go on, for a reason outside of the worker's messages. */
    public List<Effect> fail(Failure failure) {
        if (ended) {
            return List.of();
        }
        ended = true;
        return List.of(new Effect.Emit(new OutputEvent.Failed(failure)));
    }

    private List<Effect> promptScored(List<ScoredToken> tokens) {
        if (promptLogprobs.size() + tokens.size() >= request.generation().prompt().length) {
            return fail(broken("more prompt log-probabilities than prompt tokens"));
        }
        promptLogprobs.addAll(tokens);
        return List.of();
    }

    private List<Effect> tokens(Tokens message) {
        if (message.outputIndex() < 0 || message.outputIndex() >= outputs.size()) {
            return fail(broken("tokens of output %d".formatted(message.outputIndex())));
        }
        var output = outputs.get(message.outputIndex());
        int seen = output.tokenCount() - message.firstTokenIndex();
        if (output.finished() || seen >= message.tokens().size()) {
            return List.of();
        }
        if (seen < 0) {
            return fail(gap(message.outputIndex(), output.tokenCount(), message.firstTokenIndex()));
        }
        if (message.outputIndex() == 0 && message.firstTokenIndex() == 0) {
            cachedTokens = message.cachedTokens();
        }
        var effects = start();
        effects.add(new Effect.Emit(
                output.append(message.tokens().subList(seen, message.tokens().size()))));
        if (output.finished()) {
            effects.add(new Effect.CancelOutput(message.outputIndex()));
            completeIfAllFinished(effects);
        }
        return effects;
    }

    private List<Effect> finished(Finished message) {
        if (message.outputIndex() < 0 || message.outputIndex() >= outputs.size()) {
            return fail(broken("the end of output %d".formatted(message.outputIndex())));
        }
        var output = outputs.get(message.outputIndex());
        if (output.finished()) {
            return List.of();
        }
        // An end token may be counted without having been sent.
        int unsent = message.stopTokenId().isPresent() ? 1 : 0;
        if (output.tokenCount() < message.tokenCount() - unsent) {
            return fail(gap(message.outputIndex(), output.tokenCount(), message.tokenCount()));
        }
        var effects = start();
        effects.add(new Effect.Emit(output.finish(message)));
        completeIfAllFinished(effects);
        return effects;
    }

    private List<Effect> start() {
        var effects = new ArrayList<Effect>(4);
        if (!started) {
            started = true;
            effects.add(new Effect.Emit(new Started(promptLogprobs)));
        }
        return effects;
    }

    private void completeIfAllFinished(List<Effect> effects) {
        if (outputs.stream().allMatch(OutputState::finished)) {
            ended = true;
            effects.add(new Effect.Emit(new Completed(usage())));
        }
    }

    Usage usage() {
        return new Usage(
                request.generation().prompt().length,
                outputs.stream().mapToInt(OutputState::tokenCount).sum(),
                cachedTokens);
    }

    private static Failure gap(int output, int from, int to) {
        return Failure.of(
                FailureKind.UNAVAILABLE,
                "tokens [%d, %d) of output %d were lost on the way".formatted(from, to, output));
    }

    private static Failure broken(String what) {
        return Failure.of(FailureKind.INTERNAL, "the worker sent " + what);
    }
}
