package dev.kvasir.worker.engine;

import dev.kvasir.worker.runner.ModelRunner;
import dev.kvasir.worker.runner.SequenceWork;
import dev.kvasir.worker.runner.Step;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;

/**
 * Runs {@link StandInModel} over paged blocks that hold token ids. What it attends to is what lies in the blocks, and is
 * compared with what should: any error of a block table, an eviction, a copy or a fork shows at once.
 */
public final class StandInRunner implements ModelRunner {
    private static final int EMPTY = -1;

    private final int[][] content;
    private final int blockSize;
    private final int tokensMax;
    private volatile boolean broken;
    private volatile boolean closed;
    private volatile @Nullable Semaphore gate;
    long steps;
    int largestStep;
    int mostScored;

    public StandInRunner(int blockCount, int blockSize, int tokensMax) {
        content = new int[blockCount][blockSize];
        for (var block : content) {
            Arrays.fill(block, EMPTY);
        }
        this.blockSize = blockSize;
        this.tokensMax = tokensMax;
    }

    public void breakDown() {
        broken = true;
    }

    public boolean isClosed() {
        return closed;
    }

    /** From now on each step takes a permit. */
    public void stepOnlyWith(Semaphore permits) {
        gate = permits;
    }

    @Override
    public int vocabularySize() {
        return StandInModel.VOCABULARY;
    }

    @Override
    public int blockCount() {
        return content.length;
    }

    @Override
    public void copyBlock(int from, int to) {
        content[to] = content[from].clone();
    }

    @Override
    public long blockBytes() {
        return (long) blockSize * Integer.BYTES;
    }

    @Override
    public void readBlock(int block, MemorySegment to) {
        MemorySegment.copy(MemorySegment.ofArray(content[block]), 0, to, 0, blockBytes());
    }

    @Override
    public void writeBlock(int block, MemorySegment from) {
        MemorySegment.copy(from, 0, MemorySegment.ofArray(content[block]), 0, blockBytes());
    }

    @Override
    public void run(Step step) {
        var permits = gate;
        if (permits != null) {
            permits.acquireUninterruptibly();
        }
        if (broken) {
            throw new IllegalStateException("the device is gone");
        }
        steps++;
        int rows = 0;
        int scored = 0;
        for (int i = 0; i < step.size(); i++) {
            rows += step.get(i).to() - step.get(i).from();
            scored += step.get(i).scoreTo() - step.get(i).scoreFrom();
            write(step.get(i));
        }
        largestStep = Math.max(largestStep, rows);
        mostScored = Math.max(mostScored, scored);
        if (rows > tokensMax || rows == 0) {
            throw new IllegalStateException(rows + " rows in a step, the budget is " + tokensMax);
        }
        for (int i = 0; i < step.size(); i++) {
            attend(step.get(i));
        }
    }

    private void write(SequenceWork work) {
        for (int position = work.from(); position < work.to(); position++) {
            content[work.blockTable()[position / blockSize]][position % blockSize] = work.tokens()[position];
        }
    }

    private void attend(SequenceWork work) {
        long digest = 0;
        for (int position = 0; position < work.to(); position++) {
            int block = work.blockTable()[position / blockSize];
            int token = content[block][position % blockSize];
            if (token != work.tokens()[position]) {
                throw new IllegalStateException("position %d is in block %d, which holds token %d, not %d"
                        .formatted(position, block, token, work.tokens()[position]));
            }
            if (token == StandInModel.POISON) {
                work.failed(new ArithmeticException("logits are NaN"));
            }
            digest = StandInModel.digest(digest, token);
            if (position >= work.scoreFrom() && position < work.scoreTo()) {
                work.scored(StandInModel.score(digest, work.tokens()[position + 1]));
            }
        }
        for (int i = 0; i < work.outputCount(); i++) {
            var output = work.output(i);
            work.chose(i, StandInModel.next(digest, output.parameters(), output.outputIndex(), work.position()));
        }
    }

    @Override
    public void close() {
        closed = true;
    }
}
