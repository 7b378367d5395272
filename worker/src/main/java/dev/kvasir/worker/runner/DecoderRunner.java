package dev.kvasir.worker.runner;

import dev.kvasir.worker.forward.Decoder;
import dev.kvasir.worker.forward.LogitsSink;
import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.KvStorage;
import dev.kvasir.worker.kernel.Matrix;

/**
 * Runs steps on a decoder: a step becomes a batch, the batch logits, the logits scores and tokens. Owns the KV content.
 * Rows want logits in the order of sequences and positions, so that one cursor finds what each is for.
 */
public final class DecoderRunner implements ModelRunner {
    private final Kernels kernels;
    private final Decoder decoder;
    private final KvStorage kv;
    private final Sampler sampler;
    private final Batch batch;
    private final float[] logits;
    private final Runnable release;
    private final LogitsSink sink = this::take;
    private Step step;
    private int cursor;
    private int row;

    /**
     * @param rowsMax most token rows of a step
     * @param sequencesMax most sequences of a step
     * @param release gives back kernels and weights, in the right order
     */
    public DecoderRunner(
            Kernels kernels, Decoder decoder, KvStorage kv, int rowsMax, int sequencesMax, Runnable release) {
        this.kernels = kernels;
        this.decoder = decoder;
        this.kv = kv;
        this.sampler = new Sampler(decoder.config().vocabSize());
        this.batch = new Batch(rowsMax, sequencesMax);
        this.logits = new float[decoder.config().vocabSize()];
        this.release = release;
        this.step = new Step(0);
    }

    @Override
    public int vocabularySize() {
        return decoder.config().vocabSize();
    }

    @Override
    public int blockCount() {
        return kv.blockCount();
    }

    @Override
    public void copyBlock(int from, int to) {
        kernels.copyBlock(kv, from, to);
    }

    @Override
    public void run(Step next) {
        step = next;
        batch.clear();
        for (int i = 0; i < next.size(); i++) {
            var work = next.get(i);
            batch.add(work.tokens(), work.from(), work.to(), work.blockTable(), firstLogits(work));
        }
        cursor = 0;
        row = firstLogits(next.get(0));
        decoder.forward(batch, kv, sink);
    }

    /** First row whose logits are wanted. Rows to score end at the prompt's last, which is the one that chooses. */
    private static int firstLogits(SequenceWork work) {
        if (work.scoreFrom() < work.scoreTo()) {
            return work.scoreFrom();
        }
        return work.outputCount() > 0 ? work.to() - 1 : work.to();
    }

    private void take(int logitRowIndex, Matrix matrix, int matrixRow) {
        var work = step.get(cursor);
        while (row == work.to()) {
            work = step.get(++cursor);
            row = firstLogits(work);
        }
        int position = row++;
        if (work.failure() != null) {
            return;
        }
        matrix.read(matrixRow, logits);
        try {
            use(work, position);
        } catch (NanLogitsException e) {
            work.failed(e);
        }
    }

    private void use(SequenceWork work, int position) {
        if (position >= work.scoreFrom() && position < work.scoreTo()) {
            work.scored(sampler.score(logits, work.tokens()[position + 1], work.scoreTopCount()));
        } else {
            for (int i = 0; i < work.outputCount(); i++) {
                work.chose(i, sampler.sample(logits, work.output(i), work.position()));
            }
        }
    }

    @Override
    public void close() {
        release.run();
    }
}
