package dev.kvasir.router;

import dev.kvasir.protocol.Continuation;
import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.SamplingParameters;
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
 * actor. Each token is taken exactly once and in order, whichever worker it comes from: what was seen before is dropped, and
 * what was lost on the way is asked for again. An answer that is resumed is built from its first token, and emitted from the
 * first that the client does not have.
 */
public final class StreamState {
    /** What the owner is to do, in order. */
    public sealed interface Effect {
        record Emit(OutputEvent event) implements Effect {}

        /** Tell the worker that no more of this output is wanted. */
        record CancelOutput(int outputIndex) implements Effect {}

        /** Something was lost on the way: ask the worker for what comes after {@link StreamState#next}. */
        record AskAgain() implements Effect {}
    }

    private final ValidRequest request;
    private final ResumePoint received;
    private final List<OutputState> outputs;
    private final List<ScoredToken> promptLogprobs = new ArrayList<>();
    private boolean started;
    private boolean ended;
    private int cachedTokens;

    public StreamState(ValidRequest request) {
        this(request, ResumePoint.START);
    }

    /** @param received what the client has already */
    public StreamState(ValidRequest request, ResumePoint received) {
        this.request = request;
        this.received = received;
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
            case PromptScored scored -> promptScored(scored);
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

    /** Tokens so far; rises with every one that is new. */
    public int tokenCount() {
        return outputs.stream().mapToInt(OutputState::tokenCount).sum();
    }

    /** Index of the next token of each output. */
    public List<Integer> next() {
        return outputs.stream().map(OutputState::tokenCount).toList();
    }

    /** Whether all log-probabilities of the prompt are here that are wanted. */
    public boolean promptScored() {
        return promptLogprobs.size() >= promptScoresWanted();
    }

    private int promptScoresWanted() {
        boolean wanted = request.generation().sampling().promptLogprobs() != SamplingParameters.NO_LOGPROBS;
        return wanted ? request.generation().prompt().length - 1 : 0;
    }

    /**
     * What another worker needs to go on from here. An output that a worker ended is given along like one that goes on: the
     * worker sees from its tokens that it is over, and can say so to whoever resumes the stream.
     */
    public Continuation continuation(long attempt) {
        if (!started) {
            return Continuation.fresh(attempt);
        }
        return new Continuation(
                attempt,
                cachedTokens,
                true,
                outputs.stream()
                        .map(output -> new Continuation.Known(output.tokens(), output.cutByText()))
                        .toList());
    }

    private List<Effect> promptScored(PromptScored message) {
        int seen = promptLogprobs.size() - message.first();
        if (seen >= message.tokens().size()) {
            return List.of();
        }
        if (seen < 0) {
            return List.of(new Effect.AskAgain());
        }
        if (message.first() + message.tokens().size() > promptScoresWanted()) {
            return fail(broken("more prompt log-probabilities than were asked for"));
        }
        promptLogprobs.addAll(message.tokens().subList(seen, message.tokens().size()));
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
        if (seen < 0 || !promptScored()) {
            return List.of(new Effect.AskAgain());
        }
        if (!started) {
            cachedTokens = message.cachedTokens();
        }
        var effects = start();
        append(output, message.tokens().subList(seen, message.tokens().size()), message.outputIndex(), effects);
        if (output.finished()) {
            effects.add(new Effect.CancelOutput(message.outputIndex()));
            completeIfAllFinished(effects);
        }
        return effects;
    }

    /** In one piece, or in two where the client has the first. */
    private void append(OutputState output, List<ScoredToken> tokens, int index, List<Effect> effects) {
        var have = received.output(index);
        int known = have.finished() ? tokens.size() : Math.clamp(have.next() - output.tokenCount(), 0, tokens.size());
        if (known > 0) {
            effects.add(replay(output.append(tokens.subList(0, known))));
        }
        if (known < tokens.size() && !output.finished()) {
            effects.add(new Effect.Emit(output.append(tokens.subList(known, tokens.size()))));
        }
    }

    private static Effect replay(OutputEvent event) {
        return new Effect.Emit(new OutputEvent.Replayed(event));
    }

    private List<Effect> finished(Finished message) {
        if (message.outputIndex() < 0 || message.outputIndex() >= outputs.size()) {
            return fail(broken("the end of output %d".formatted(message.outputIndex())));
        }
        var output = outputs.get(message.outputIndex());
        if (output.finished()) {
            return List.of();
        }
        if (output.tokenCount() < message.tokenCount() || !promptScored()) {
            return List.of(new Effect.AskAgain());
        }
        var effects = start();
        var end = output.finish(message);
        boolean known = received.output(message.outputIndex()).finished();
        effects.add(known ? replay(end) : new Effect.Emit(end));
        completeIfAllFinished(effects);
        return effects;
    }

    private List<Effect> start() {
        var effects = new ArrayList<Effect>(4);
        if (!started) {
            started = true;
            var event = new Started(promptLogprobs);
            effects.add(received.prompt() ? replay(event) : new Effect.Emit(event));
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
        return new Usage(request.generation().prompt().length, tokenCount(), cachedTokens);
    }

    private static Failure broken(String what) {
        return Failure.of(FailureKind.INTERNAL, "the worker sent " + what);
    }
}
