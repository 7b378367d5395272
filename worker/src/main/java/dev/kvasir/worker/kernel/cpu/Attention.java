package dev.kvasir.worker.kernel.cpu;

import dev.kvasir.worker.kernel.AttentionShape;
import dev.kvasir.worker.kernel.Batch;

/**
 * Attention over block tables with a running softmax (FlashAttention, arXiv:2205.14135).
 *
 * <pre>
 * tile      the unit of work: some rows of one sequence, by one KV head, by all query heads that share it
 * chunk     64 positions, [0, 64), [64, 128), ... from the start of the sequence; keys and values of a chunk are
 *           expanded once for all queries of the tile
 * </pre>
 *
 * A row's result depends only on its query and on the keys and values it sees: chunks lie at fixed positions whatever was
 * computed in which step, and what a row does not see adds exact zeros.
 */
final class Attention implements WorkerThreads.Parts {
    /** Queries of a tile aimed at: they share one expansion of keys and values. */
    private static final int TILE_QUERIES = 64;

    private final WorkerThreads threads;
    private final AttentionTile[] tiles;
    private CpuMatrix out = CpuMatrix.NONE;
    private CpuMatrix query = CpuMatrix.NONE;
    private CpuKvStorage kv = CpuKvStorage.NONE;
    private Batch batch = new Batch(0, 0);
    private AttentionShape shape = new AttentionShape(0, 1, 0, 0, 0, 0);
    private int layer;
    private int tileRows;

    /** Tiles of sequences before each sequence. */
    private int[] firstTile = new int[1];

    Attention(WorkerThreads threads) {
        this.threads = threads;
        tiles = new AttentionTile[threads.count()];
        for (int i = 0; i < tiles.length; i++) {
            tiles[i] = new AttentionTile();
        }
    }

    void run(CpuMatrix out, CpuMatrix query, CpuKvStorage kv, int layer, Batch batch, AttentionShape shape) {
        this.out = out;
        this.query = query;
        this.kv = kv;
        this.layer = layer;
        this.batch = batch;
        this.shape = shape;
        tileRows = Math.max(1, TILE_QUERIES / (shape.headCount() / shape.kvHeadCount()));
        if (firstTile.length <= batch.sequenceCount) {
            firstTile = new int[batch.sequencesMax() + 1];
        }
        long work = 0;
        for (int s = 0; s < batch.sequenceCount; s++) {
            int rows = batch.rowStart[s + 1] - batch.rowStart[s];
            firstTile[s + 1] = firstTile[s] + Math.ceilDiv(rows, tileRows);
            work += (long) rows * batch.contextLength[s] * query.columns();
        }
        int parts = firstTile[batch.sequenceCount] * shape.kvHeadCount();
        if (work < 20_000) {
            WorkerThreads.runHere(this, parts);
        } else {
            threads.run(this, parts);
        }
    }

    @Override
    public void run(int part, int thread) {
        int tile = part / shape.kvHeadCount();
        int sequence = sequenceOf(tile);
        int from = batch.rowStart[sequence] + (tile - firstTile[sequence]) * tileRows;
        int to = Math.min(from + tileRows, batch.rowStart[sequence + 1]);
        int kvHead = part % shape.kvHeadCount();
        int firstPosition = batch.contextLength[sequence] - batch.rowStart[sequence + 1] + from;
        tiles[thread].run(out, query, from, to, kv, layer, kvHead, batch.blockTables[sequence], firstPosition, shape);
    }

    private int sequenceOf(int tile) {
        int low = 0;
        int high = batch.sequenceCount - 1;
        while (low < high) {
            int middle = (low + high + 1) >>> 1;
            if (firstTile[middle] <= tile) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        return low;
    }
}
