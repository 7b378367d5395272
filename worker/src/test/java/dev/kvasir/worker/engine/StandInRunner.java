package dev.kvasir.worker.engine;

import dev.kvasir.worker.runner.ModelRunner;
import dev.kvasir.worker.runner.SequenceWork;
import dev.kvasir.worker.runner.Step;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
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
    private boolean ahead;
    private final ArrayDeque<Begun> begun = new ArrayDeque<>();
    long steps;
    long followed;
    int largestStep;
    int mostScored;
    int readsBetweenSteps;

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

    /** From now on it computes steps when they are begun and tells when they are finished, as a device does. */
    void runAhead() {
        ahead = true;
    }

    /** What a step came to that is not finished: the first choice of each work, by index. */
    @SuppressWarnings("ArrayRecordComponent") // Read once, never compared.
    private record Begun(Step step, int[] tokens) {}

    @Override
    public boolean mayBeFollowed(Step step) {
        if (!ahead) {
            return false;
        }
        for (int i = 0; i < step.size(); i++) {
            if (step.get(i).outputCount() != 1
                    || step.get(i).scoreFrom() < step.get(i).scoreTo()
                    || !step.get(i).output(0).parameters().isGreedy()) {
                return false;
            }
        }
        return true;
    }

    @Override
    public void begin(Step step) {
        if (!ahead) {
            run(step);
            return;
        }
        if (begun.size() == 2) {
            throw new IllegalStateException("two steps are not finished");
        }
        var before = begun.peekLast();
        for (int i = 0; i < step.size(); i++) {
            followed += step.get(i).follows() == SequenceWork.NOBODY ? 0 : 1;
        }
        begun.add(new Begun(step, compute(step, before == null ? new int[0] : before.tokens())));
    }

    @Override
    public void finish(Step step) {
        if (ahead && !begun.remove().step().equals(step)) {
            throw new IllegalStateException("steps are finished in another order than they were begun");
        }
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
        readsBetweenSteps += begun.isEmpty() ? 1 : 0;
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
        compute(step, new int[0]);
    }

    /** @param before what the step before chose, by index of its works */
    private int[] compute(Step step, int[] before) {
        if (broken) {
            throw new IllegalStateException("the device is gone");
        }
        steps++;
        int rows = 0;
        int scored = 0;
        for (int i = 0; i < step.size(); i++) {
            rows += step.get(i).to() - step.get(i).from();
            scored += step.get(i).scoreTo() - step.get(i).scoreFrom();
            write(step.get(i), before);
        }
        largestStep = Math.max(largestStep, rows);
        mostScored = Math.max(mostScored, scored);
        if (rows > tokensMax || rows == 0) {
            throw new IllegalStateException(rows + " rows in a step, the budget is " + tokensMax);
        }
        var chosen = new int[step.size()];
        for (int i = 0; i < step.size(); i++) {
            attend(step.get(i), before);
            chosen[i] = step.get(i).outputCount() == 0
                    ? EMPTY
                    : step.get(i).chosen(0).token();
        }
        return chosen;
    }

    private static int token(SequenceWork work, int position, int[] before) {
        return work.follows() != SequenceWork.NOBODY && position == work.from()
                ? before[work.follows()]
                : work.tokens()[position];
    }

    private void write(SequenceWork work, int[] before) {
        for (int position = work.from(); position < work.to(); position++) {
            content[work.blockTable()[position / blockSize]][position % blockSize] = token(work, position, before);
        }
    }

    private void attend(SequenceWork work, int[] before) {
        long digest = 0;
        for (int position = 0; position < work.to(); position++) {
            int block = work.blockTable()[position / blockSize];
            int token = content[block][position % blockSize];
            if (token != token(work, position, before)) {
                throw new IllegalStateException("position %d is in block %d, which holds token %d, not %d"
                        .formatted(position, block, token, token(work, position, before)));
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
