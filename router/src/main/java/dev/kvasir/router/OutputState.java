package dev.kvasir.router;

import dev.kvasir.model.tokenizer.Detokenizer;
import dev.kvasir.protocol.FinishReason;
import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.protocol.StreamEvent.Finished;
import dev.kvasir.router.OutputEvent.Delta;
import dev.kvasir.router.OutputEvent.Finish;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;

/**
 * One output of a request as the router knows it: the tokens seen so far, and the text made of them. Text of a token
 * that may end the output is kept back until it is known whether it did: an end is not part of the text.
 */
final class OutputState {
    private static final int NONE = -1;

    private final int index;
    private final ValidRequest request;
    private final Detokenizer detokenizer;
    private final StopMatcher matcher;
    private String echo;
    private int[] tokens = new int[16];
    private int tokenCount;
    private int possibleEnd = NONE;
    private boolean finished;
    private boolean cutByText;

    OutputState(int index, ValidRequest request) {
        this.index = index;
        this.request = request;
        this.detokenizer = request.model().text().detokenizer(request.text().skipSpecialTokens());
        this.matcher = new StopMatcher(request.text().stop(), request.text().includeStop());
        this.echo = request.promptText();
    }

    boolean finished() {
        return finished;
    }

    /** Ended here, by its text; a worker that knows the tokens alone would go on. */
    boolean cutByText() {
        return cutByText;
    }

    /** Tokens that count for usage, and the index of the next one expected. */
    int tokenCount() {
        return tokenCount;
    }

    /** The tokens so far; what another worker would have to go on from. */
    int[] tokens() {
        return Arrays.copyOf(tokens, tokenCount);
    }

    /** New tokens, the first of them at {@link #tokenCount}; those after a stop text are dropped. */
    Delta append(List<ScoredToken> scored) {
        int first = tokenCount;
        var text = new StringBuilder(takeEcho());
        int taken = 0;
        while (taken < scored.size() && !matcher.stopped()) {
            text.append(releasePossibleEnd());
            if (!matcher.stopped()) {
                text.append(appendToken(scored.get(taken++).token()));
            }
        }
        Finish finish = null;
        if (matcher.stopped()) {
            finished = true;
            cutByText = true;
            finish = new Finish(FinishReason.STOP, matcher.stop(), OptionalInt.empty());
        }
        return new Delta(index, first, text.toString(), scored.subList(0, taken), finish);
    }

    /** The worker's end of this output. */
    Delta finish(Finished end) {
        finished = true;
        int first = tokenCount;
        var text = new StringBuilder(takeEcho());
        boolean endIsText = end.reason() != FinishReason.STOP || request.text().includeStop();
        if (endIsText) {
            text.append(releasePossibleEnd());
        }
        text.append(matchable() ? matcher.append(detokenizer.finish()) : detokenizer.finish());
        text.append(matcher.finish());
        tokenCount = Math.max(tokenCount, end.tokenCount());
        var reason = matcher.stopped() ? FinishReason.STOP : end.reason();
        var stopText = matcher.stopped() ? matcher.stop() : null;
        return new Delta(
                index, first, text.toString(), List.of(), new Finish(reason, stopText, reportedStopToken(end)));
    }

    private String appendToken(int token) {
        if (tokenCount == tokens.length) {
            tokens = Arrays.copyOf(tokens, 2 * tokens.length);
        }
        tokens[tokenCount++] = token;
        if (mayEnd(token)) {
            possibleEnd = token;
            return "";
        }
        return match(detokenizer.append(token));
    }

    private String releasePossibleEnd() {
        if (possibleEnd == NONE) {
            return "";
        }
        int token = possibleEnd;
        possibleEnd = NONE;
        return match(detokenizer.append(token));
    }

    private String match(String text) {
        return matchable() ? matcher.append(text) : text;
    }

    /** Stop texts count only in what comes after the first {@code min_tokens} tokens. */
    private boolean matchable() {
        return tokenCount > request.generation().sampling().minTokens();
    }

    private boolean mayEnd(int token) {
        var sampling = request.generation().sampling();
        return sampling.stopTokenIds().contains(token)
                || (!sampling.ignoreEos()
                        && request.model().defaults().eosTokenIds().contains(token));
    }

    private OptionalInt reportedStopToken(Finished end) {
        var asked = request.generation().sampling().stopTokenIds();
        return end.stopTokenId().isPresent() && asked.contains(end.stopTokenId().getAsInt())
                ? end.stopTokenId()
                : OptionalInt.empty();
    }

    private String takeEcho() {
        var taken = echo;
        echo = "";
        return taken;
    }
}
