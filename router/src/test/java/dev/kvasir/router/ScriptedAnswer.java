package dev.kvasir.router;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.protocol.Continuation;
import dev.kvasir.protocol.FinishReason;
import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.protocol.StreamEvent;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Consumer;

/**
 * What a worker has of a request whose answer is written in a script: says it token by token, or again from any place, and
 * counts what it was told as known.
 */
final class ScriptedAnswer {
    private final ValidRequest request;
    private final int[] script;
    long attempt;
    int listener;
    boolean stopped;
    private final boolean scoredBefore;
    private boolean promptSaid;
    private final int cachedTokens;
    private final List<Integer> counts = new ArrayList<>();
    private final List<Integer> knownAtFirst = new ArrayList<>();
    final Set<Integer> dropped = new HashSet<>();
    private final Set<Integer> over = new HashSet<>();

    ScriptedAnswer(ValidRequest request, int[] script, Continuation continuation, int listener) {
        this.request = request;
        this.script = script;
        this.attempt = continuation.attempt();
        this.listener = listener;
        this.scoredBefore = continuation.promptScored();
        this.cachedTokens = continuation.begins() ? 16 : continuation.cachedTokens();
        for (int i = 0; i < request.generation().sampling().n(); i++) {
            boolean known = i < continuation.outputs().size();
            var output = known ? continuation.outputs().get(i) : new Continuation.Known(new int[0], false);
            counts.add(output.tokens().length);
            knownAtFirst.add(output.tokens().length);
            for (int k = 0; k < output.tokens().length; k++) {
                assertThat(output.tokens()[k]).isEqualTo(tokenAt(k));
            }
            if (output.ended()) {
                dropped.add(i);
            } else if (endsAt(output.tokens().length)) {
                over.add(i);
            }
        }
    }

    boolean complete() {
        var sampling = request.generation().sampling();
        boolean tokens = sampling.logprobs() < 0 || knownAtFirst.stream().allMatch(k -> k == 0);
        return tokens && !(sampling.promptLogprobs() >= 0 && scoredBefore);
    }

    int tokenAt(int index) {
        return index < script.length ? script[index] : TestModel.END_TOKEN;
    }

    boolean endsAt(int count) {
        return count > 0 && (count >= request.generation().sampling().maxTokens() || count > script.length);
    }

    ScoredToken token(int output, int index) {
        boolean scored = request.generation().sampling().logprobs() >= 0 && index >= knownAtFirst.get(output);
        int token = tokenAt(index);
        return scored ? new ScoredToken(token, -index, 1, new int[0], new float[0]) : ScoredToken.unscored(token);
    }

    /** One more token of each output; false when there is nothing left. */
    boolean advance(Consumer<StreamEvent> say) {
        boolean more = false;
        if (!promptSaid) {
            promptSaid = true;
            sayPrompt(say);
        }
        for (int i = 0; i < counts.size(); i++) {
            if (dropped.contains(i) || over.contains(i)) {
                continue;
            }
            int count = counts.get(i);
            counts.set(i, count + 1);
            say.accept(tokens(i, count, count + 1));
            if (endsAt(count + 1)) {
                over.add(i);
                say.accept(end(i));
            } else {
                more = true;
            }
        }
        return more;
    }

    private StreamEvent tokens(int output, int from, int to) {
        var tokens = new ArrayList<ScoredToken>();
        for (int k = from; k < to; k++) {
            tokens.add(token(output, k));
        }
        return new StreamEvent.Tokens(request.generation().id(), output, from, tokens, cachedTokens);
    }

    private StreamEvent end(int output) {
        int count = counts.get(output);
        boolean stop = count > script.length;
        return new StreamEvent.Finished(
                request.generation().id(),
                output,
                count,
                stop ? FinishReason.STOP : FinishReason.LENGTH,
                stop ? OptionalInt.of(TestModel.END_TOKEN) : OptionalInt.empty());
    }

    private void sayPrompt(Consumer<StreamEvent> say) {
        if (request.generation().sampling().promptLogprobs() >= 0 && !scoredBefore) {
            int[] prompt = request.generation().prompt();
            for (int k = 1; k < prompt.length; k++) {
                say.accept(new StreamEvent.PromptScored(
                        request.generation().id(),
                        k - 1,
                        List.of(new ScoredToken(prompt[k], -k, 1, new int[0], new float[0]))));
            }
        }
    }

    void tellSince(List<Integer> next, boolean scored, long incarnation, Consumer<StreamEvent> say) {
        say.accept(new StreamEvent.Accepted(request.generation().id(), incarnation));
        if (promptSaid && !scored) {
            sayPrompt(say);
        }
        for (int i = 0; i < counts.size(); i++) {
            int from = i < next.size() ? next.get(i) : 0;
            if (from < counts.get(i)) {
                say.accept(tokens(i, from, counts.get(i)));
            }
            if (over.contains(i)) {
                say.accept(end(i));
            }
        }
    }
}
