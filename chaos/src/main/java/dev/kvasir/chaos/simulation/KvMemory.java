package dev.kvasir.chaos.simulation;

import dev.kvasir.worker.runner.ModelRunner;
import dev.kvasir.worker.runner.Sampler;
import dev.kvasir.worker.runner.SequenceWork;
import dev.kvasir.worker.runner.Step;
import java.lang.foreign.MemorySegment;
import java.util.function.ToLongFunction;

/**
 * Runs {@link StandInModel} over paged blocks. Every slot holds the KV that was computed for it; what comes of a step is
 * computed from what is read through the block tables, right or wrong.
 */
class KvMemory implements ModelRunner {
    private final long[][] blocks;
    private final int blockSize;
    private final ToLongFunction<SequenceWork> root;
    private final Sampler sampler = new Sampler(StandInModel.VOCABULARY);
    private final float[] logits = new float[StandInModel.VOCABULARY];

    /** @param root digest that a sequence's KV begins from */
    KvMemory(int blockCount, int blockSize, ToLongFunction<SequenceWork> root) {
        this.blocks = new long[blockCount][blockSize];
        this.blockSize = blockSize;
        this.root = root;
    }

    @Override
    public int vocabularySize() {
        return StandInModel.VOCABULARY;
    }

    @Override
    public int blockCount() {
        return blocks.length;
    }

    @Override
    public void copyBlock(int from, int to) {
        blocks[to] = blocks[from].clone();
    }

    @Override
    public long blockBytes() {
        return (long) blockSize * Long.BYTES;
    }

    @Override
    public void readBlock(int block, MemorySegment to) {
        MemorySegment.copy(MemorySegment.ofArray(blocks[block]), 0, to, 0, blockBytes());
    }

    @Override
    public void writeBlock(int block, MemorySegment from) {
        MemorySegment.copy(from, 0, MemorySegment.ofArray(blocks[block]), 0, blockBytes());
    }

    @Override
    public void run(Step step) {
        for (int i = 0; i < step.size(); i++) {
            write(step.get(i));
        }
        for (int i = 0; i < step.size(); i++) {
            attend(step.get(i));
        }
    }

    private void write(SequenceWork work) {
        long kv = work.from() == 0 ? root.applyAsLong(work) : read(work, work.from() - 1);
        for (int position = work.from(); position < work.to(); position++) {
            kv = StandInModel.kv(kv, work.tokens()[position], position);
            blocks[work.blockTable()[position / blockSize]][position % blockSize] = kv;
        }
    }

    private long read(SequenceWork work, int position) {
        return blocks[work.blockTable()[position / blockSize]][position % blockSize];
    }

    private void attend(SequenceWork work) {
        if (work.outputCount() == 0 && work.scoreFrom() >= work.scoreTo()) {
            return;
        }
        long attended = 0;
        for (int position = 0; position < work.to(); position++) {
            attended = StandInModel.attend(attended, read(work, position));
            if (position >= work.scoreFrom() && position < work.scoreTo()) {
                StandInModel.logits(attended, logits);
                work.scored(sampler.score(logits, work.tokens()[position + 1], work.scoreTopCount()));
            }
        }
        if (work.outputCount() > 0) {
            StandInModel.logits(attended, logits);
            for (int i = 0; i < work.outputCount(); i++) {
                work.chose(i, sampler.sample(logits, work.output(i), work.position()));
            }
        }
    }

    int blockSize() {
        return blockSize;
    }

    /** Content of a block, not a copy. */
    long[] block(int block) {
        return blocks[block];
    }

    @Override
    public void close() {}
}
