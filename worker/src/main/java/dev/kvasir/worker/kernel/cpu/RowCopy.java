package dev.kvasir.worker.kernel.cpu;

import dev.kvasir.model.weights.DType;

/** Rows from tables and matrices: embeddings, learned positions, gathered rows. */
final class RowCopy extends RowOperation {
    private final WorkerThreads threads;
    private CpuMatrix out = CpuMatrix.NONE;
    private CpuWeight table = CpuWeight.NONE;
    private int[] indices = new int[0];
    private int offset;
    private float scale;
    private boolean accumulate;

    RowCopy(WorkerThreads threads) {
        this.threads = threads;
    }

    /** out[r] = (accumulate ? out[r] : 0) + table[indices[r] + offset] * scale. */
    void run(CpuMatrix out, int rows, CpuWeight table, int[] indices, int offset, float scale, boolean accumulate) {
        this.out = out;
        this.table = table;
        this.indices = indices;
        this.offset = offset;
        this.scale = scale;
        this.accumulate = accumulate;
        run(threads, rows, out.columns());
    }

    @Override
    void row(int row, int thread) {
        long from = table.row(indices[row] + offset);
        long to = out.row(row);
        DType dtype = table.dtype();
        for (int c = 0; c < table.columns(); c++) {
            float value = Packing.element(dtype, from, c) * scale;
            Memory.set(to + 4L * c, accumulate ? Memory.get(to + 4L * c) + value : value);
        }
    }
}
