package dev.kvasir.worker.engine;

import dev.kvasir.protocol.FinishReason;
import dev.kvasir.worker.runner.SamplingState;
import dev.kvasir.worker.schedule.Sequence;
import org.jspecify.annotations.Nullable;

/** One of a request's n answers. Until its prompt is computed it shares a sequence with its siblings. */
final class Output {
    private final int index;
    private final SamplingState sampling;
    private Sequence sequence;
    private boolean ended;

    Output(int index, SamplingState sampling, Sequence sequence) {
        this.index = index;
        this.sampling = sampling;
        this.sequence = sequence;
    }

    int index() {
        return index;
    }

    SamplingState sampling() {
        return sampling;
    }

    Sequence sequence() {
        return sequence;
    }

    void moveTo(Sequence fork) {
        sequence = fork;
    }

    boolean ended() {
        return ended;
    }

    void end() {
        ended = true;
    }

    void append(int token) {
        sequence.append(token);
        sampling.accept(token);
    }

    /** Takes note of tokens that its sequence knows from elsewhere. */
    void known(int[] tokens) {
        for (int token : tokens) {
            sampling.accept(token);
        }
    }

    /** Whether, and why, the output ends with {@code token}, its newest. */
    @Nullable
    FinishReason reasonToStop(int token, EngineSettings settings) {
        var parameters = sampling.parameters();
        int generated = sequence.generated();
        if (generated >= parameters.minTokens() && isStop(token, settings)) {
            return FinishReason.STOP;
        }
        return isFullAfter(generated, settings) ? FinishReason.LENGTH : null;
    }

    /** Whether its length ends it once it has so many tokens. */
    boolean isFullAfter(int generated, EngineSettings settings) {
        return generated >= sampling.parameters().maxTokens()
                || sequence.promptCount() + generated >= settings.maxModelLength();
    }

    private boolean isStop(int token, EngineSettings settings) {
        var parameters = sampling.parameters();
        return parameters.stopTokenIds().contains(token) || (!parameters.ignoreEos() && settings.isEnd(token));
    }
}
