package dev.kvasir.router.http;

import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.router.Failure;
import dev.kvasir.router.OutputEvent;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Gathers the answers of a request that wants them in one piece. */
final class WholeAnswer implements Answers.Listener {
    private final Answers answers;
    private final List<Part> parts = new ArrayList<>();
    private volatile @Nullable Failure failure;

    /** The answer to one prompt. */
    static final class Part {
        private final List<Output> outputs = new ArrayList<>();
        private List<ScoredToken> promptLogprobs = List.of();
        private OutputEvent.@Nullable Usage usage;

        List<Output> outputs() {
            return outputs;
        }

        List<ScoredToken> promptLogprobs() {
            return promptLogprobs;
        }

        OutputEvent.Usage usage() {
            return Objects.requireNonNull(usage);
        }
    }

    static final class Output {
        private final StringBuilder text = new StringBuilder();
        private final List<ScoredToken> tokens = new ArrayList<>();
        private OutputEvent.@Nullable Finish finish;

        String text() {
            return text.toString();
        }

        List<ScoredToken> tokens() {
            return tokens;
        }

        OutputEvent.Finish finish() {
            return Objects.requireNonNull(finish);
        }
    }

    private WholeAnswer(Answers answers) {
        this.answers = answers;
        for (int i = 0; i < answers.size(); i++) {
            var part = new Part();
            int n = answers.get(i).request().generation().sampling().n();
            for (int output = 0; output < n; output++) {
                part.outputs.add(new Output());
            }
            parts.add(part);
        }
    }

    /** @throws HttpRefusal where one of the answers failed */
    static List<Part> read(Answers answers) throws InterruptedException {
        var whole = new WholeAnswer(answers);
        answers.read(whole);
        var failure = whole.failure;
        if (failure != null) {
            throw HttpRefusal.of(failure);
        }
        return whole.parts;
    }

    @Override
    public void started(int prompt, OutputEvent.Started started) {
        parts.get(prompt).promptLogprobs = started.promptLogprobs();
    }

    @Override
    public void delta(int prompt, OutputEvent.Delta delta) {
        var output = parts.get(prompt).outputs.get(delta.outputIndex());
        output.text.append(delta.text());
        output.tokens.addAll(delta.tokens());
        output.finish = delta.finish();
    }

    @Override
    public void completed(int prompt, OutputEvent.Usage usage) {
        parts.get(prompt).usage = usage;
    }

    @Override
    public void failed(int prompt, Failure reason) {
        if (failure == null) {
            failure = reason;
        }
        answers.cancel();
    }
}
