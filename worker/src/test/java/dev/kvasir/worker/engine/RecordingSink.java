package dev.kvasir.worker.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.protocol.StreamEvent;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Keeps a request's events and checks that they come as the protocol says. */
final class RecordingSink implements StreamSink {
    final Map<Integer, List<Integer>> tokens = new HashMap<>();
    final Map<Integer, StreamEvent.Finished> finished = new HashMap<>();
    final List<Float> promptScores = new ArrayList<>();
    boolean accepted;
    boolean ended;
    int cachedTokens;
    StreamEvent.@Nullable Failed failed;

    @Override
    public void publish(StreamEvent event) {
        assertThat(ended).as("ended before %s", event).isFalse();
        assertThat(failed).as("failed before %s", event).isNull();
        switch (event) {
            case StreamEvent.Accepted _ -> {
                assertThat(accepted).isFalse();
                accepted = true;
            }
            case StreamEvent.PromptScored scored -> {
                assertThat(promptScores).isEmpty();
                assertThat(tokens).isEmpty();
                scored.tokens().forEach(token -> promptScores.add(token.logprob()));
            }
            case StreamEvent.Tokens some -> {
                assertThat(accepted).isTrue();
                assertThat(finished).doesNotContainKey(some.outputIndex());
                var output = tokens.computeIfAbsent(some.outputIndex(), _ -> new ArrayList<>());
                assertThat(some.firstTokenIndex()).isEqualTo(output.size());
                output.addAll(some.tokens().stream().map(ScoredToken::token).toList());
                cachedTokens = some.cachedTokens();
            }
            case StreamEvent.Finished end -> {
                assertThat(end.tokenCount())
                        .isEqualTo(tokens.getOrDefault(end.outputIndex(), List.of())
                                .size());
                assertThat(finished.put(end.outputIndex(), end)).isNull();
            }
            case StreamEvent.Failed failure -> failed = failure;
        }
    }

    @Override
    public void ended() {
        assertThat(ended).isFalse();
        ended = true;
    }
}
