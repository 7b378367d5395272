package dev.kvasir.worker.runner;

import dev.kvasir.worker.forward.Decoder;
import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.Choices;
import dev.kvasir.worker.kernel.Draws;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.KvStorage;
import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.kernel.PreparationProgress;
import dev.kvasir.worker.kernel.Scores;
import org.jspecify.annotations.Nullable;

/**
 * What one rank computes of each step, from the batch to choices. Every rank knows what is largest, or has all logits and
 * chooses for itself, which gives all the same choices: the next step finds them where it runs. Used by the rank's thread
 * alone.
 */
public final class DecoderRank {
    /** Changed logits of a step: biases, ends that may not come, tokens with penalties. */
    private static final int DRAW_ENTRIES_MAX = 1 << 18;

    private final Kernels kernels;
    private final Decoder decoder;
    private final KvStorage kv;
    private final Batch batch;
    private final Choices choices;
    private final @Nullable Draws draws;
    private final @Nullable Scores scores;
    private final Runnable forward = this::forward;

    /**
     * A rank that is ready to compute.
     *
     * @param rowsMax most token rows of a step
     * @param sequencesMax most sequences of a step
     */
    public DecoderRank(Kernels kernels, Decoder decoder, KvStorage kv, int rowsMax, int sequencesMax) {
        this.kernels = kernels;
        this.decoder = decoder;
        this.kv = kv;
        batch = new Batch(rowsMax, sequencesMax);
        choices = kernels.allocateChoices(decoder.limits().logitRowsMax());
        draws = kernels.allocateDraws(decoder.limits().logitRowsMax(), DRAW_ENTRIES_MAX);
        scores = kernels.allocateScores(decoder.limits().logitRowsMax());
    }

    Kernels kernels() {
        return kernels;
    }

    Decoder decoder() {
        return decoder;
    }

    KvStorage kv() {
        return kv;
    }

    /** To be filled for {@link #compute}. */
    Batch batch() {
        return batch;
    }

    /** To be filled for {@link #draw}; null where tokens are drawn on the host alone. */
    @Nullable
    Draws draws() {
        return draws;
    }

    /** To be filled for {@link #score}; null where log-probabilities are made on the host alone. */
    @Nullable
    Scores scores() {
        return scores;
    }

    Matrix logitRows() {
        return decoder.logitsMatrix();
    }

    Choices.Reading read(int rows) {
        return choices.read(rows);
    }

    /** Makes ready what steps need, so that the first one does not wait for it. */
    public void prepare(PreparationProgress progress) {
        kernels.prepare(batch, forward, progress);
    }

    /** Computes the batch, and the first of its logits. */
    void compute() {
        kernels.compute(batch, forward);
    }

    private void forward() {
        decoder.layers(batch, kv);
        logits(0, decoder.logitRows(batch, 0));
    }

    /** Logits of {@code Batch.logitRows} [from, from + count), and what is largest. */
    void logits(int from, int count) {
        if (count > 0) {
            decoder.choose(choices, batch, from, count);
        }
    }

    /** Brings the logits of {@link #logits} to all ranks, where they are not there. */
    void bringTogether(int count) {
        if (count > 0 && decoder.choosesFromParts()) {
            decoder.bringTogether(count);
        }
    }

    /** Draws tokens as the owner's list says. */
    void draw(Draws list) {
        kernels.draw(choices, decoder.logitsMatrix(), list);
    }

    /** Finds log-probabilities as the list says. They change nothing: one rank's are enough. */
    Scores.Reading score(Scores list) {
        return kernels.score(choices, decoder.logitsMatrix(), list);
    }

    void copyBlock(int from, int to) {
        kernels.copyBlock(kv, from, to);
    }
}
