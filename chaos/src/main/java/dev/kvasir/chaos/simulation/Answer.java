package dev.kvasir.chaos.simulation;

import dev.kvasir.protocol.FailureKind;
import dev.kvasir.protocol.FinishReason;
import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.router.Failure;
import dev.kvasir.router.OutputEvent;
import dev.kvasir.router.ResumePoint;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What a client has received of one request: all that it can see, so that two answers can be compared. */
final class Answer {
    /** One of the n outputs. */
    static final class Output {
        final List<ScoredToken> tokens = new ArrayList<>();
        final StringBuilder text = new StringBuilder();
        OutputEvent.@Nullable Finish finish;

        private int compared;

        /** Where the two differ in what is new since the last time, or null. A finished output must be whole. */
        @Nullable
        String difference(Output right) {
            int from = compared;
            compared = tokens.size();
            for (int i = from; i < tokens.size(); i++) {
                if (i >= right.tokens.size()) {
                    return "token %d is one too many".formatted(i);
                }
                if (!same(tokens.get(i), right.tokens.get(i))) {
                    return "token %d is %s, not %s".formatted(i, show(tokens.get(i)), show(right.tokens.get(i)));
                }
            }
            if (!beginsWith(right.text, text)) {
                return "text is '%s', not '%s'".formatted(text, right.text);
            }
            if (finish == null) {
                return null;
            }
            if (tokens.size() != right.tokens.size() || text.length() != right.text.length()) {
                return "it ends after %d tokens of %d".formatted(tokens.size(), right.tokens.size());
            }
            return finish.equals(right.finish) ? null : "it ends with %s, not %s".formatted(finish, right.finish);
        }
    }

    private static boolean beginsWith(StringBuilder whole, StringBuilder part) {
        if (part.length() > whole.length()) {
            return false;
        }
        for (int i = 0; i < part.length(); i++) {
            if (part.charAt(i) != whole.charAt(i)) {
                return false;
            }
        }
        return true;
    }

    private final Output[] outputs;
    private List<ScoredToken> promptScores = List.of();
    private boolean started;
    private OutputEvent.@Nullable Usage usage;
    private @Nullable Failure failure;

    Answer(int outputCount) {
        outputs = new Output[outputCount];
        Arrays.setAll(outputs, _ -> new Output());
    }

    Output output(int index) {
        return outputs[index];
    }

    /** What the client has, for a router that is to go on. */
    ResumePoint resumePoint() {
        var received = new ArrayList<ResumePoint.Output>();
        for (var output : outputs) {
            received.add(new ResumePoint.Output(output.tokens.size(), output.finish != null));
        }
        return new ResumePoint(started, received);
    }

    int tokenCount() {
        int count = 0;
        for (var output : outputs) {
            count += output.tokens.size();
        }
        return count;
    }

    boolean ended() {
        return usage != null || failure != null;
    }

    boolean complete() {
        return usage != null;
    }

    @Nullable
    FailureKind failureKind() {
        return failure == null ? null : failure.kind();
    }

    @Nullable
    Failure failure() {
        return failure;
    }

    /** @throws Violation where the event cannot come at this place */
    void add(OutputEvent event) {
        Violation.unless(!ended(), "P1 one end", () -> "after its end came " + event);
        switch (event) {
            case OutputEvent.Started(var scores) -> {
                Violation.unless(!started, "P2 each event once", () -> "it started twice");
                started = true;
                promptScores = scores;
            }
            case OutputEvent.Delta delta -> add(delta);
            case OutputEvent.Completed(var all) -> usage = all;
            case OutputEvent.Replayed _ -> {}
            case OutputEvent.Failed(var why) -> failure = why;
        }
    }

    private void add(OutputEvent.Delta delta) {
        var output = outputs[delta.outputIndex()];
        Violation.unless(
                output.finish == null,
                "P2 each token once",
                () -> "output %d goes on after its end".formatted(delta.outputIndex()));
        Violation.unless(
                delta.firstTokenIndex() == output.tokens.size(),
                "P2 each token once",
                () -> "output %d goes on at token %d but has %d"
                        .formatted(delta.outputIndex(), delta.firstTokenIndex(), output.tokens.size()));
        output.tokens.addAll(delta.tokens());
        output.text.append(delta.text());
        output.finish = delta.finish();
    }

    /** Where this answer, as far as it goes, differs from the right one; null where it does not. */
    @Nullable
    String difference(Answer right) {
        for (int i = 0; i < outputs.length; i++) {
            var difference = outputs[i].difference(right.outputs[i]);
            if (difference != null) {
                return "output %d: %s".formatted(i, difference);
            }
        }
        if (started && !same(promptScores, right.promptScores)) {
            return "prompt scores are %s, not %s".formatted(show(promptScores), show(right.promptScores));
        }
        if (usage == null || right.usage == null) {
            return null;
        }
        for (int i = 0; i < outputs.length; i++) {
            if (outputs[i].finish == null) {
                return "output %d has no end".formatted(i);
            }
        }
        boolean sameUsage = usage.promptTokens() == right.usage.promptTokens()
                && usage.completionTokens() == right.usage.completionTokens();
        return sameUsage ? null : "usage is %s, not %s".formatted(usage, right.usage);
    }

    private static boolean same(List<ScoredToken> one, List<ScoredToken> other) {
        if (one.size() != other.size()) {
            return false;
        }
        for (int i = 0; i < one.size(); i++) {
            if (!same(one.get(i), other.get(i))) {
                return false;
            }
        }
        return true;
    }

    private static boolean same(ScoredToken one, ScoredToken other) {
        return one.token() == other.token()
                && Float.compare(one.logprob(), other.logprob()) == 0
                && one.rank() == other.rank()
                && Arrays.equals(one.topIds(), other.topIds())
                && Arrays.equals(one.topLogprobs(), other.topLogprobs());
    }

    private static String show(ScoredToken token) {
        return token.rank() == 0 ? "" + token.token() : token.token() + "(" + token.logprob() + ")";
    }

    private static String show(List<ScoredToken> tokens) {
        return tokens.stream().map(Answer::show).toList().toString();
    }

    /** Reason for a short account. */
    static String reason(OutputEvent.@Nullable Finish finish) {
        return finish == null ? "open" : (finish.reason() == FinishReason.STOP ? "stop" : "length");
    }
}
