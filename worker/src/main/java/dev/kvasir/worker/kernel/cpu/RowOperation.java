package dev.kvasir.worker.kernel.cpu;

/** An operation that treats each row of a batch by itself; rows are shared out where there is enough to do. */
abstract class RowOperation implements WorkerThreads.Parts {
    /** Elements that are worth a part of their own, about 10 microseconds of work. */
    private static final int PART_ELEMENTS = 16 << 10;

    private int rows;
    private int rowsPerPart;

    abstract void row(int row, int thread);

    final void run(WorkerThreads threads, int rows, int elementsPerRow) {
        this.rows = rows;
        rowsPerPart = Math.max(1, PART_ELEMENTS / Math.max(1, elementsPerRow));
        threads.run(this, Math.ceilDiv(rows, rowsPerPart));
    }

    @Override
    public final void run(int part, int thread) {
        int end = Math.min(rows, (part + 1) * rowsPerPart);
        for (int row = part * rowsPerPart; row < end; row++) {
            row(row, thread);
        }
    }
}
