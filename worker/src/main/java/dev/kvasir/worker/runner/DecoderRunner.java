package dev.kvasir.worker.runner;

import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.worker.forward.Decoder;
import dev.kvasir.worker.kernel.Choices;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.KvLayout;
import dev.kvasir.worker.kernel.KvStorage;
import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.kernel.NearKv;
import dev.kvasir.worker.kernel.PreparationProgress;
import dev.kvasir.worker.kernel.RankTask;
import dev.kvasir.worker.kernel.Ranks;
import dev.kvasir.worker.kernel.Scores;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Runs steps on a decoder: a step becomes a batch, the batch logits, the logits scores and tokens. Owns the KV content. All
 * ranks of the decoder are told the same; what they chose is read from the first. Rows want logits in the order of sequences
 * and positions, so that one cursor finds what each is for.
 */
public final class DecoderRunner implements ModelRunner {
    private final Ranks ranks;
    private final List<DecoderRank> all;
    private final DecoderRank first;
    private final RankBlocks blocks;
    private final Sampler sampler;
    private final float[] logits;
    private final Runnable release;
    private final RankTask compute = this::compute;
    private final RankTask draw = this::draw;
    private final Matrix logitRows;
    private final DrawList drawList = new DrawList();
    private final Reading[] readings = new Reading[2];
    private @Nullable NearKv near;
    private int begun;
    private int finished;
    private Step step;
    private int cursor;
    private int row;

    /**
     * Of a decoder that is not split.
     *
     * @param rowsMax most token rows of a step
     * @param sequencesMax most sequences of a step
     * @param release gives back kernels and weights, in the right order
     */
    public DecoderRunner(
            Kernels kernels, Decoder decoder, KvStorage kv, int rowsMax, int sequencesMax, Runnable release) {
        this(
                Ranks.one(kernels),
                List.of(new DecoderRank(kernels, decoder, kv, rowsMax, sequencesMax)),
                kv.layout(),
                release);
    }

    /**
     * Of the ranks of a decoder.
     *
     * @param all in the order of ranks
     * @param layout of the KV blocks of the whole model
     * @param release gives back kernels and weights, in the right order
     */
    public DecoderRunner(Ranks ranks, List<DecoderRank> all, KvLayout layout, Runnable release) {
        this.ranks = ranks;
        this.all = List.copyOf(all);
        this.first = all.getFirst();
        this.blocks = new RankBlocks(ranks, all, layout);
        int vocabulary = first.decoder().config().vocabSize();
        this.sampler = new Sampler(vocabulary);
        this.logits = new float[vocabulary];
        this.logitRows = first.logitRows();
        this.release = release;
        this.step = new Step(0);
    }

    @Override
    public int vocabularySize() {
        return logits.length;
    }

    @Override
    public int blockCount() {
        return first.kv().blockCount();
    }

    @Override
    public void copyBlock(int from, int to) {
        ranks.each(rank -> all.get(rank).copyBlock(from, to));
    }

    @Override
    public long blockBytes() {
        return blocks.byteSize();
    }

    @Override
    public void readBlock(int block, MemorySegment to) {
        blocks.read(block, to);
    }

    @Override
    public void writeBlock(int block, MemorySegment from) {
        blocks.write(block, from);
    }

    /** Blocks of several ranks are whole only outside of them. */
    @Override
    public boolean onHost() {
        return ranks.freeBytes().isEmpty();
    }

    @Override
    public @Nullable NearKv near() {
        if (all.size() > 1) {
            throw new IllegalStateException("blocks of several GPUs are whole only outside of them");
        }
        if (near == null) {
            near = first.kv().near();
        }
        return near;
    }

    @Override
    public void fence() {
        if (near != null) {
            near.fence();
        }
    }

    @Override
    public void run(Step next) {
        begin(next);
        finish(next);
    }

    /** Those whose tokens the device itself chooses; penalties of the next token need to know them. */
    @Override
    public boolean mayBeFollowed(Step next) {
        if (!first.kernels().runsAhead()
                || next.size() > first.decoder().limits().logitRowsMax()) {
            return false;
        }
        for (int i = 0; i < next.size(); i++) {
            var work = next.get(i);
            if (work.outputCount() != 1
                    || work.scoreFrom() < work.scoreTo()
                    || !work.isChosenOnDevice()
                    || (work.output(0).isScored() && first.scores() == null)
                    || work.output(0).isPenalised()) {
                return false;
            }
        }
        return true;
    }

    @Override
    public void begin(Step next) {
        var batch = first.batch();
        batch.clear();
        for (int i = 0; i < next.size(); i++) {
            var work = next.get(i);
            if (work.follows() == SequenceWork.NOBODY) {
                batch.add(work.tokens(), work.from(), work.to(), work.blockTable(), work.logitsFrom());
            } else {
                batch.follow(work.follows(), work.from(), work.blockTable());
            }
        }
        ranks.each(compute);
        int count = first.decoder().logitRows(batch, 0);
        bringTogether(next, count);
        draw(next, count);
        readings[begun++ % readings.length] =
                new Reading(first.read(count), score(next, 0, count), count, batch.logitRowCount);
    }

    private void compute(int rank) {
        if (rank > 0) {
            all.get(rank).batch().copyFrom(first.batch());
        }
        all.get(rank).compute();
    }

    private void draw(int rank) {
        var list = first.draws();
        if (list != null) {
            all.get(rank).draw(list);
        }
    }

    /** All logits are wanted by all that is not plainly greedy. */
    private void bringTogether(Step next, int count) {
        for (int i = 0; i < next.size(); i++) {
            var work = next.get(i);
            if (work.scoreFrom() < work.scoreTo()
                    || work.outputCount() > 1
                    || (work.outputCount() == 1
                            && (!work.output(0).isPlainlyGreedy(work.position())
                                    || work.output(0).isScored()))) {
                ranks.each(rank -> all.get(rank).bringTogether(count));
                return;
            }
        }
    }

    /** Draws on the device what can be drawn there, of the first {@code count} logit rows. */
    private void draw(Step next, int count) {
        var draws = first.draws();
        if (draws == null) {
            return;
        }
        draws.clear();
        int logitRow = 0;
        for (int i = 0; i < next.size(); i++) {
            var work = next.get(i);
            logitRow += work.to() - work.logitsFrom();
            if (work.outputCount() == 1
                    && logitRow <= count
                    && !work.output(0).isPlainlyGreedy(work.position())
                    && (first.scores() != null || !work.output(0).isScored())
                    && drawList.add(draws, logitRow - 1, work.output(0), work.position())) {
                work.drawnOnDevice();
            }
        }
        if (draws.count() > 0) {
            ranks.each(draw);
        }
    }

    /** Scores on the device what can be scored there, of logit rows [from, from + count); null where that is nothing. */
    private Scores.@Nullable Reading score(Step next, int from, int count) {
        var scores = first.scores();
        if (scores == null) {
            return null;
        }
        ScoreList.fill(scores, next, from, count);
        return scores.count() == 0 ? null : first.score(scores);
    }

    /** One allocation a step. */
    private record Reading(Choices.Reading chosen, Scores.@Nullable Reading scored, int rows, int allRows) {}

    @Override
    public void finish(Step next) {
        var reading = readings[finished++ % readings.length];
        step = next;
        cursor = 0;
        row = next.get(0).logitsFrom();
        take(reading.chosen(), reading.scored(), reading.rows());
        for (int from = reading.rows(); from < reading.allRows(); ) {
            int start = from;
            int count = first.decoder().logitRows(first.batch(), start);
            ranks.each(rank -> {
                all.get(rank).logits(start, count);
                all.get(rank).bringTogether(count);
            });
            take(first.read(count), score(next, start, count), count);
            from += count;
        }
    }

    /** Makes ready what steps need, so that the first one does not wait for it. */
    public void prepare(PreparationProgress progress) {
        ranks.each(rank -> all.get(rank).prepare(rank == 0 ? progress : PreparationProgress.NONE));
    }

    /** Waits also where nothing is chosen: what the step has computed may be given to others now. */
    private void take(Choices.Reading chosen, Scores.@Nullable Reading scored, int count) {
        chosen.await();
        if (scored != null) {
            scored.await();
        }
        for (int i = 0; i < count; i++) {
            takeRow(chosen, scored, i);
        }
    }

    /** The next wanted row, which is that row of the logits at hand. */
    private void takeRow(Choices.Reading chosen, Scores.@Nullable Reading scored, int matrixRow) {
        var work = step.get(cursor);
        while (row == work.to()) {
            work = step.get(++cursor);
            row = work.logitsFrom();
        }
        int position = row++;
        if (work.failure() != null) {
            return;
        }
        try {
            if (position >= work.scoreFrom() && position < work.scoreTo()) {
                work.scored(score(work, position, scored, matrixRow));
            } else if (work.isChosenOnDevice()
                    && (scored != null || !work.output(0).isScored())) {
                takeChoice(work, chosen, scored, matrixRow);
            } else if (work.outputCount() > 0) {
                choose(work, matrixRow);
            }
        } catch (NanLogitsException e) {
            work.failed(e);
        }
    }

    private ScoredToken score(SequenceWork work, int position, Scores.@Nullable Reading scored, int matrixRow) {
        if (scored != null) {
            return ScoreList.token(scored, matrixRow, work.scoreTopCount(), logits.length);
        }
        logitRows.read(matrixRow, logits);
        return sampler.score(logits, work.tokens()[position + 1], work.scoreTopCount());
    }

    private void choose(SequenceWork work, int matrixRow) {
        logitRows.read(matrixRow, logits);
        for (int i = 0; i < work.outputCount(); i++) {
            work.chose(i, sampler.sample(logits, work.output(i), work.position()));
        }
    }

    /** What the device has chosen, the same for all outputs. */
    private void takeChoice(SequenceWork work, Choices.Reading chosen, Scores.@Nullable Reading scored, int matrixRow) {
        float max = chosen.logit(matrixRow);
        if (!Float.isFinite(max)) {
            throw new NanLogitsException("at output position " + work.position(), max);
        }
        var token = scored != null && work.output(0).isScored()
                ? ScoreList.token(scored, matrixRow, work.output(0).parameters().logprobs(), logits.length)
                : ScoredToken.unscored(chosen.token(matrixRow));
        for (int i = 0; i < work.outputCount(); i++) {
            work.chose(i, token);
        }
    }

    @Override
    public void close() {
        release.run();
    }
}
