package dev.kvasir.worker.kernel.cpu;

import dev.kvasir.worker.kernel.AttentionShape;
import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.KvFormat;
import dev.kvasir.worker.kernel.KvLayout;
import java.util.SplittableRandom;

/** One attention layer over a random batch of sequences, by the oracle and by the kernels under test. */
final class AttentionAgreement {
    private static final int BLOCKS = 600;

    private final KernelPair pair;
    private final SplittableRandom random;

    AttentionAgreement(KernelPair pair, SplittableRandom random) {
        this.pair = pair;
        this.random = random;
    }

    /** Sequences given as {computed before, context}; what was computed before is computed here, in an earlier step. */
    void check(
            AttentionShape shape, int valueSize, int blockSize, KvFormat format, int[][] sequences, double tolerance) {
        var layout = new KvLayout(2, shape.kvHeadCount(), shape.headSize(), valueSize, blockSize, format);
        var kv = new KernelPair.Both<>(pair.oracle.allocateKv(layout, BLOCKS), pair.tested.allocateKv(layout, BLOCKS));
        int[][] tables = tables(sequences, blockSize);
        for (int step = 0; step < 2; step++) {
            var batch = new Batch(2000, sequences.length);
            for (int s = 0; s < sequences.length; s++) {
                int from = step == 0 ? 0 : sequences[s][0];
                int to = sequences[s][step];
                if (from < to) {
                    batch.add(new int[to], from, to, tables[s], to);
                }
            }
            if (batch.rowCount == 0) {
                continue;
            }
            int rows = batch.rowCount;
            var key = pair.random(rows, shape.kvHeadCount() * shape.headSize(), 1, random);
            var value = pair.random(rows, shape.kvHeadCount() * valueSize, 1, random);
            var query = pair.random(rows, shape.headCount() * shape.headSize(), 1, random);
            var out = pair.random(rows, shape.headCount() * valueSize, 1, random);
            pair.oracle.writeKv(kv.oracle(), 1, key.oracle(), value.oracle(), batch);
            pair.tested.writeKv(kv.tested(), 1, key.tested(), value.tested(), batch);
            pair.oracle.attend(out.oracle(), query.oracle(), kv.oracle(), 1, batch, shape);
            pair.tested.attend(out.tested(), query.tested(), kv.tested(), 1, batch, shape);
            KernelPair.assertClose(
                    out, rows, tolerance, "%s, blocks of %d %s, step %d".formatted(shape, blockSize, format, step));
        }
    }

    /** Blocks of all sequences, shuffled. */
    private int[][] tables(int[][] sequences, int blockSize) {
        int[] free = new int[BLOCKS];
        for (int i = 0; i < BLOCKS; i++) {
            int other = random.nextInt(i + 1);
            free[i] = free[other];
            free[other] = i;
        }
        var tables = new int[sequences.length][];
        int next = 0;
        for (int s = 0; s < sequences.length; s++) {
            tables[s] = new int[Math.ceilDiv(sequences[s][1], blockSize)];
            for (int b = 0; b < tables[s].length; b++) {
                tables[s][b] = free[next++];
            }
        }
        return tables;
    }
}
