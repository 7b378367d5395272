package dev.kvasir.worker.kernel.check;

import dev.kvasir.worker.kernel.AttentionShape;
import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.KvFormat;
import dev.kvasir.worker.kernel.KvLayout;
import dev.kvasir.worker.kernel.KvStorage;
import dev.kvasir.worker.kernel.RotaryTable;
import dev.kvasir.worker.kernel.check.CheckedPair.Both;

/** Rotation, KV blocks and attention of one layer over a random batch, by the reference and by the kernels under test. */
final class AttentionCheck {
    private static final int ROTATED_MIN = 4;

    private final CheckedPair pair;

    AttentionCheck(CheckedPair pair) {
        this.pair = pair;
    }

    /** Sequences given as {computed before, context}; what was computed before is computed here, in an earlier step. */
    void run(AttentionShape shape, int valueSize, int blockSize, KvFormat format, int[][] sequences) {
        var layout = new KvLayout(2, shape.kvHeadCount(), shape.headSize(), valueSize, blockSize, format);
        int[][] tables = tables(sequences, blockSize);
        int blocks = blocks(sequences, blockSize);
        var kv = new Both<>(pair.reference.allocateKv(layout, blocks), pair.tested.allocateKv(layout, blocks));
        for (int step = 0; step < 2; step++) {
            var batch = new Batch(KernelChecks.ROWS_MAX, sequences.length);
            for (int s = 0; s < sequences.length; s++) {
                int from = step == 0 ? 0 : sequences[s][0];
                int to = sequences[s][step];
                if (from < to) {
                    batch.add(new int[to], from, to, tables[s], to);
                }
            }
            if (batch.rowCount > 0) {
                step(kv, shape, batch);
            }
        }
    }

    private void step(Both<KvStorage> kv, AttentionShape shape, Batch batch) {
        var layout = kv.reference().layout();
        int rows = batch.rowCount;
        var key = pair.matrix(rows, shape.kvHeadCount() * shape.headSize(), 1);
        var value = pair.matrix(rows, shape.kvHeadCount() * layout.valueSize(), 1);
        var query = pair.matrix(rows, shape.headCount() * shape.headSize(), 1);
        var out = pair.empty(rows, shape.headCount() * layout.valueSize());
        var rotary = shape.headSize() < ROTATED_MIN
                ? null
                : new RotaryTable(new float[] {1, 0.01f}, 1, shape.headSize() % 16 == 0);
        pair.reference.rotateAndWriteKv(
                query.reference(), key.reference(), value.reference(), rotary, kv.reference(), 1, batch);
        pair.tested.rotateAndWriteKv(query.tested(), key.tested(), value.tested(), rotary, kv.tested(), 1, batch);
        pair.compare(query, rows);
        pair.reference.attend(out.reference(), query.reference(), kv.reference(), 1, batch, shape);
        pair.tested.attend(out.tested(), query.tested(), kv.tested(), 1, batch, shape);
        pair.compare(out, rows);
    }

    /** A block's copy answers like its origin. */
    void copied(Both<KvStorage> kv, AttentionShape shape) {
        var batch = new Batch(4, 1);
        batch.add(new int[4], 0, 4, new int[] {2}, 4);
        step(kv, shape, batch);
        pair.reference.copyBlock(kv.reference(), 2, 0);
        pair.tested.copyBlock(kv.tested(), 2, 0);
        batch.clear();
        batch.add(new int[5], 4, 5, new int[] {0, 1}, 5);
        step(kv, shape, batch);
    }

    private static int blocks(int[][] sequences, int blockSize) {
        int blocks = 0;
        for (int[] sequence : sequences) {
            blocks += Math.ceilDiv(sequence[1], blockSize);
        }
        return blocks;
    }

    /** Blocks of all sequences, shuffled. */
    private int[][] tables(int[][] sequences, int blockSize) {
        int[] free = new int[blocks(sequences, blockSize)];
        for (int i = 0; i < free.length; i++) {
            int other = pair.random.nextInt(i + 1);
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
