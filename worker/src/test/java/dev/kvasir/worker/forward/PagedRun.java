package dev.kvasir.worker.forward;

import dev.kvasir.model.ModelFolder;
import dev.kvasir.model.weights.LoadProgress;
import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.KvFormat;
import java.util.ArrayList;
import java.util.List;

/** Computes prompts greedily through a decoder: so many at once, in chunks of so many tokens, over scattered blocks. */
record PagedRun(int chunk, int blockSize, KvFormat format) {
    private static final int LOGIT_ROWS_MAX = 5;

    PagedRun(int chunk, int blockSize) {
        this(chunk, blockSize, KvFormat.F32);
    }

    /** All of them together, each step one chunk or one token of each. */
    List<PagedSequence> compute(Kernels kernels, GoldenCase golden, List<GoldenCase.Expected> runs) {
        var folder = ModelFolder.open(golden.folder());
        try (var weights = folder.weights(ModelFolder.Check.ALWAYS, LoadProgress.NONE)) {
            int rowsMax = runs.stream()
                    .mapToInt(run -> Math.min(run.prompt().size(), chunk))
                    .sum();
            var limits = new DecoderLimits(rowsMax, LOGIT_ROWS_MAX, golden.servedLength());
            var decoder = Decoder.load(kernels, folder.config(), weights, limits);
            var sequences = sequences(runs);
            int blockCount = sequences.stream()
                    .mapToInt(sequence -> sequence.blockTable.length)
                    .sum();
            var kv = kernels.allocateKv(decoder.layout(blockSize, format), blockCount);
            var batch = new Batch(rowsMax, sequences.size());
            while (sequences.stream().anyMatch(sequence -> !sequence.finished())) {
                batch.clear();
                var taking = addAll(batch, sequences);
                decoder.forward(batch, kv, (index, logits, row) -> {
                    int batchRow = batch.logitRows[index];
                    taking.get(batchRow).take(batch.positions[batchRow], logits, row);
                });
            }
            kernels.close();
            return sequences;
        }
    }

    /** Block numbers of all sequences interleave, and descend. */
    private List<PagedSequence> sequences(List<GoldenCase.Expected> runs) {
        var tables = runs.stream()
                .map(run ->
                        new int[Math.ceilDiv(run.prompt().size() + run.greedy().size(), blockSize)])
                .toList();
        int next = tables.stream().mapToInt(table -> table.length).sum();
        for (int i = 0; next > 0; i++) {
            for (var table : tables) {
                if (i < table.length) {
                    table[i] = --next;
                }
            }
        }
        var sequences = new ArrayList<PagedSequence>();
        for (int i = 0; i < runs.size(); i++) {
            var run = runs.get(i);
            sequences.add(new PagedSequence(run.prompt(), run.greedy().size(), tables.get(i)));
        }
        return sequences;
    }

    /** The sequence of each row. */
    private List<PagedSequence> addAll(Batch batch, List<PagedSequence> sequences) {
        var rowSequence = new ArrayList<PagedSequence>();
        for (var sequence : sequences) {
            if (!sequence.finished()) {
                int from = sequence.computed;
                int to = Math.min(sequence.known, from + chunk);
                batch.add(sequence.tokens, from, to, sequence.blockTable, from);
                sequence.computed = to;
                for (int i = from; i < to; i++) {
                    rowSequence.add(sequence);
                }
            }
        }
        return rowSequence;
    }
}
