package dev.kvasir.router;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.router.OutputEvent.Delta;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A client that keeps what it is told, and checks that it is told in order and once. */
final class KeepingClient {
    private final List<StringBuilder> texts = new ArrayList<>();
    private final List<List<ScoredToken>> tokens = new ArrayList<>();
    private final List<@Nullable String> ends = new ArrayList<>();
    private final List<ScoredToken> promptScores = new ArrayList<>();
    private boolean started;
    private OutputEvent.@Nullable Usage usage;

    KeepingClient(int outputs) {
        for (int i = 0; i < outputs; i++) {
            texts.add(new StringBuilder());
            tokens.add(new ArrayList<>());
            ends.add(null);
        }
    }

    void take(OutputEvent event) {
        switch (event) {
            case OutputEvent.Started(var scores) -> {
                assertThat(started).isFalse();
                started = true;
                promptScores.addAll(scores);
            }
            case Delta delta -> {
                int i = delta.outputIndex();
                assertThat(ends.get(i)).as("end of output %d", i).isNull();
                if (!delta.tokens().isEmpty()) {
                    assertThat(delta.firstTokenIndex()).isEqualTo(tokens.get(i).size());
                }
                texts.get(i).append(delta.text());
                tokens.get(i).addAll(delta.tokens());
                ends.set(i, delta.finish() == null ? null : delta.finish().toString());
            }
            case OutputEvent.Completed(var taken) -> usage = taken;
            case OutputEvent.Replayed _, OutputEvent.Failed _ -> {}
        }
    }

    ResumePoint point() {
        var outputs = new ArrayList<ResumePoint.Output>();
        for (int i = 0; i < texts.size(); i++) {
            outputs.add(new ResumePoint.Output(tokens.get(i).size(), ends.get(i) != null));
        }
        return new ResumePoint(started, outputs);
    }

    String describe() {
        var text = new StringBuilder();
        for (int i = 0; i < texts.size(); i++) {
            text.append(texts.get(i)).append('|').append(ends.get(i)).append('|');
            tokens.get(i)
                    .forEach(t -> text.append(t.token())
                            .append(':')
                            .append(t.logprob())
                            .append(' '));
        }
        promptScores.forEach(t -> text.append(t.token()).append(' '));
        return text + " " + usage;
    }
}
