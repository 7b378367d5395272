package dev.kvasir.worker;

import dev.kvasir.protocol.Continuation;
import dev.kvasir.protocol.GenerationRequest;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.protocol.StreamEvent;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * All that was said about one request, so that it can be said again from any position, here or to another router. Tokens
 * that another worker generated are known without their log-probabilities. Values in, values out; the caller guards it.
 */
final class Transcript {
    private static final int TOKENS_PER_MESSAGE = 1024;
    private static final int SCORED_PER_MESSAGE = 256;
    private static final int TOKEN_BYTES = 4;
    private static final int SCORED_BYTES = 64;
    private static final int ALTERNATIVE_BYTES = 8;

    private final GenerationRequest request;
    private final List<Line> lines = new ArrayList<>();
    private final List<ScoredToken> promptScores = new ArrayList<>();
    private final boolean promptScoredBefore;
    private int cachedTokens;

    /** One output. */
    private static final class Line {
        private int[] tokens;
        private int count;
        private final int scoredFrom;
        private final List<ScoredToken> scored = new ArrayList<>();
        private StreamEvent.@Nullable Finished end;
        private boolean dropped;

        Line(int[] known, boolean dropped) {
            this.tokens = Arrays.copyOf(known, known.length + 16);
            this.count = known.length;
            this.scoredFrom = known.length;
            this.dropped = dropped;
        }

        void add(ScoredToken token, boolean withScore) {
            if (count == tokens.length) {
                tokens = Arrays.copyOf(tokens, 2 * count);
            }
            tokens[count++] = token.token();
            if (withScore) {
                scored.add(token);
            }
        }

        ScoredToken at(int index) {
            int place = index - scoredFrom;
            return place >= 0 && place < scored.size() ? scored.get(place) : ScoredToken.unscored(tokens[index]);
        }

        boolean ended() {
            return dropped || end != null;
        }
    }

    Transcript(GenerationRequest request, Continuation continuation) {
        this.request = request;
        this.promptScoredBefore = continuation.promptScored();
        this.cachedTokens = continuation.cachedTokens();
        for (int i = 0; i < request.sampling().n(); i++) {
            var known = i < continuation.outputs().size()
                    ? continuation.outputs().get(i)
                    : new Continuation.Known(new int[0], false);
            lines.add(new Line(known.tokens(), known.ended()));
        }
    }

    /** Takes note of an event of the engine. */
    void add(StreamEvent event) {
        switch (event) {
            case StreamEvent.PromptScored scored -> promptScores.addAll(scored.tokens());
            case StreamEvent.Tokens tokens -> {
                var line = lines.get(tokens.outputIndex());
                for (int i = line.count - tokens.firstTokenIndex();
                        i < tokens.tokens().size();
                        i++) {
                    line.add(tokens.tokens().get(i), logprobs() >= 0);
                }
                cachedTokens = tokens.cachedTokens();
            }
            case StreamEvent.Finished finished -> lines.get(finished.outputIndex()).end = finished;
            case StreamEvent.Accepted _, StreamEvent.Failed _ -> {}
        }
    }

    /** Nothing more is wanted of an output. */
    void drop(int output) {
        lines.get(output).dropped = true;
    }

    /** What another run needs to go on from here. */
    Continuation continuation(long attempt) {
        var known = lines.stream()
                .map(line -> new Continuation.Known(Arrays.copyOf(line.tokens, line.count), line.ended()))
                .toList();
        return new Continuation(attempt, cachedTokens, promptScored(), known);
    }

    /** Before another run: scores of the prompt that are incomplete will come again. */
    void goOn() {
        if (!promptScored()) {
            promptScores.clear();
        }
    }

    private boolean promptScored() {
        boolean wanted = request.sampling().promptLogprobs() != SamplingParameters.NO_LOGPROBS;
        return promptScoredBefore || (wanted && promptScores.size() >= request.prompt().length - 1);
    }

    /** What came after the positions given; outputs that are not named are told from their beginning. */
    List<StreamEvent> since(List<Integer> next, boolean withoutPrompt) {
        var events = new ArrayList<StreamEvent>();
        if (!withoutPrompt && promptScored()) {
            for (int from = 0; from < promptScores.size(); from += SCORED_PER_MESSAGE) {
                int to = Math.min(promptScores.size(), from + SCORED_PER_MESSAGE);
                events.add(new StreamEvent.PromptScored(request.id(), from, promptScores.subList(from, to)));
            }
        }
        for (int i = 0; i < lines.size(); i++) {
            tell(i, i < next.size() ? next.get(i) : 0, events);
        }
        return events;
    }

    private void tell(int output, int next, List<StreamEvent> events) {
        var line = lines.get(output);
        int step = line.scored.isEmpty() ? TOKENS_PER_MESSAGE : SCORED_PER_MESSAGE;
        for (int from = next; from < line.count; from += step) {
            var tokens = new ArrayList<ScoredToken>();
            for (int i = from; i < Math.min(line.count, from + step); i++) {
                tokens.add(line.at(i));
            }
            events.add(new StreamEvent.Tokens(request.id(), output, from, tokens, cachedTokens));
        }
        if (line.end != null) {
            events.add(line.end);
        }
    }

    /** Whether all that was ever said can be said again, log-probabilities included. */
    boolean complete() {
        boolean promptWanted = request.sampling().promptLogprobs() != SamplingParameters.NO_LOGPROBS;
        boolean tokensKnown = logprobs() < 0 || lines.stream().allMatch(line -> line.scoredFrom == 0);
        return tokensKnown && !(promptWanted && promptScoredBefore);
    }

    boolean ended() {
        return lines.stream().allMatch(Line::ended);
    }

    boolean isEmpty() {
        return lines.stream().allMatch(line -> line.count == 0 && !line.ended());
    }

    /** Roughly, what it holds in memory. */
    long bytes() {
        long scoredCount = promptScores.size();
        long bytes = (long) TOKEN_BYTES * request.prompt().length;
        for (var line : lines) {
            bytes += (long) TOKEN_BYTES * line.tokens.length;
            scoredCount += line.scored.size();
        }
        int alternatives = Math.max(logprobs(), request.sampling().promptLogprobs());
        return bytes + scoredCount * (SCORED_BYTES + (long) ALTERNATIVE_BYTES * Math.max(0, alternatives));
    }

    private int logprobs() {
        return request.sampling().logprobs();
    }
}
