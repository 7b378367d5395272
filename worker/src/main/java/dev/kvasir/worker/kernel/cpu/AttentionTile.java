package dev.kvasir.worker.kernel.cpu;

import static dev.kvasir.worker.kernel.cpu.Memory.LANES;

import dev.kvasir.worker.kernel.AttentionShape;
import dev.kvasir.worker.kernel.KvLayout;
import java.util.Arrays;

/**
 * Attention of some rows of one sequence with one KV head, chunk by chunk; one per thread, with its working memory:
 *
 * <pre>
 * queries   [query][key element]          query = row of the tile * heads per KV head + head, padded to tiles of four
 * scores    [query][position of the chunk]
 * keys      [key element][position]       transposed: scores then add along the key's elements
 * values    [position][value element]
 * sums      [query][value element]        of values by weight, relative to maxima
 * row       one key
 * </pre>
 */
final class AttentionTile {
    static final int CHUNK = 64;

    private final FloatScratch scratch = new FloatScratch();
    private float[] maxima = new float[0];
    private float[] totals = new float[0];
    private float[] array = new float[0];

    private AttentionShape shape = new AttentionShape(0, 1, 0, 0, 0, 0);
    private CpuKvStorage kv = CpuKvStorage.NONE;
    private int[] table = new int[0];
    private int layer;
    private int kvHead;
    private int group;
    private int queryCount;
    private int keyWidth;
    private int valueWidth;
    private int queries;
    private int scores;
    private int keys;
    private int values;
    private int sums;
    private int row;

    void run(
            CpuMatrix out,
            CpuMatrix query,
            int from,
            int to,
            CpuKvStorage kv,
            int layer,
            int kvHead,
            int[] table,
            int firstPosition,
            AttentionShape shape) {
        this.kv = kv;
        this.layer = layer;
        this.kvHead = kvHead;
        this.table = table;
        this.shape = shape;
        group = shape.headCount() / shape.kvHeadCount();
        prepare((to - from) * group);
        loadQueries(query, from, to);
        int last = firstPosition + to - from - 1;
        int first = seenFrom(firstPosition);
        for (int chunk = first / CHUNK * CHUNK; chunk <= last; chunk += CHUNK) {
            int end = Math.min(chunk + CHUNK, last + 1);
            loadChunk(chunk, Math.max(chunk, first), end);
            score();
            for (int q = 0; q < queryCount; q++) {
                int position = firstPosition + q / group;
                int seen = Math.max(0, seenFrom(position) - chunk);
                weigh(q, seen, Math.min(end, position + 1) - chunk);
            }
            accumulate(end - chunk);
        }
        storeResults(out, from, to);
    }

    /** First position that the row at a position attends to. */
    private int seenFrom(int position) {
        return shape.window() == 0 ? 0 : Math.max(0, position + 1 - shape.window());
    }

    private void prepare(int count) {
        queryCount = count;
        int padded = Math.ceilDiv(count, BroadcastTile.ROWS) * BroadcastTile.ROWS;
        keyWidth = Memory.padded(kv.layout().keySize());
        valueWidth = Memory.padded(kv.layout().valueSize());
        int floats = padded * (keyWidth + CHUNK + valueWidth) + CHUNK * (keyWidth + valueWidth) + keyWidth;
        array = scratch.ensure(floats);
        queries = scratch.start();
        scores = queries + padded * keyWidth;
        keys = scores + padded * CHUNK;
        values = keys + keyWidth * CHUNK;
        sums = values + CHUNK * valueWidth;
        row = sums + padded * valueWidth;
        Arrays.fill(array, sums, row, 0);
        if (maxima.length < count) {
            maxima = new float[2 * count];
            totals = new float[2 * count];
        }
        Arrays.fill(maxima, 0, count, Float.NEGATIVE_INFINITY);
        Arrays.fill(totals, 0, count, 0);
    }

    private boolean paired() {
        return !kv.layout().format().scaled()
                && Packing.paired(kv.layout().format().dtype());
    }

    private void loadQueries(CpuMatrix query, int from, int to) {
        boolean paired = paired();
        int size = shape.headSize();
        for (int r = from; r < to; r++) {
            for (int head = 0; head < group; head++) {
                long address = query.row(r) + 4L * (kvHead * group + head) * size;
                Packing.floats(address, size, paired, array, queries + ((r - from) * group + head) * keyWidth, LANES);
            }
        }
    }

    /** Keys and values at positions [from, end) of a chunk; zeros elsewhere. */
    private void loadChunk(int chunk, int from, int end) {
        KvLayout layout = kv.layout();
        int bytes = layout.format().elementBytes();
        if (end - from < CHUNK) {
            Arrays.fill(array, keys, sums, 0);
        }
        for (int position = from; position < end; position++) {
            int block = table[position / layout.blockSize()];
            long slot = position % layout.blockSize();
            long key = kv.keys(layer, block, kvHead) + slot * layout.keySize() * bytes;
            long scale = kv.scales(layer, block, kvHead) + slot * KvLayout.SCALE_BYTES;
            expand(key, scale, layout.keySize(), row);
            scatter(array, row, keyWidth, keys + position - chunk);
            long value = kv.values(layer, block, kvHead) + slot * layout.valueSize() * bytes;
            int to = values + (position - chunk) * valueWidth;
            expand(value, scale + Short.BYTES, layout.valueSize(), to);
        }
    }

    private void expand(long from, long scale, int size, int to) {
        var format = kv.layout().format();
        if (format.scaled()) {
            ScaledRow.load(from, scale, size, array, to);
        } else {
            Packing.stored(format.dtype(), from, size, array, to, LANES);
        }
    }

    private static void scatter(float[] array, int from, int count, int to) {
        for (int i = 0; i < count; i++) {
            array[to + i * CHUNK] = array[from + i];
        }
    }

    private void score() {
        Arrays.fill(array, scores, keys, 0);
        for (int column = 0; column < CHUNK; column += BroadcastTile.COLUMNS) {
            for (int q = 0; q < queryCount; q += BroadcastTile.ROWS) {
                int a = queries + q * keyWidth;
                int c = scores + q * CHUNK + column;
                BroadcastTile.add(array, a, keyWidth, keys + column, CHUNK, c, CHUNK, keyWidth);
            }
        }
    }

    /** Turns a query's scores in [from, to) of the chunk into weights, and its sums to the new maximum. */
    private void weigh(int q, int from, int to) {
        int at = scores + q * CHUNK;
        if (from >= to) {
            Arrays.fill(array, at, at + CHUNK, 0);
            return;
        }
        if (shape.softcap() == 0) {
            VectorMath.multiply(array, at, CHUNK, shape.scale());
        } else {
            VectorMath.multiply(array, at, CHUNK, shape.scale() / shape.softcap());
            VectorMath.tanh(array, at, CHUNK, shape.softcap());
        }
        Arrays.fill(array, at, at + from, Float.NEGATIVE_INFINITY);
        Arrays.fill(array, at + to, at + CHUNK, Float.NEGATIVE_INFINITY);
        float max = Math.max(maxima[q], Softmax.max(array, at, CHUNK));
        float shrink = maxima[q] == max ? 1 : (float) Math.exp(maxima[q] - max);
        VectorMath.exp(array, at, CHUNK, max);
        Softmax.sumLanes(array, at, CHUNK, row);
        totals[q] = totals[q] * shrink + DotTiles.sum(array, row);
        maxima[q] = max;
        if (shrink != 1) {
            VectorMath.multiply(array, sums + q * valueWidth, valueWidth, shrink);
        }
    }

    private void accumulate(int length) {
        for (int column = 0; column < valueWidth; column += BroadcastTile.COLUMNS) {
            for (int q = 0; q < queryCount; q += BroadcastTile.ROWS) {
                int a = scores + q * CHUNK;
                int c = sums + q * valueWidth + column;
                BroadcastTile.add(array, a, CHUNK, values + column, valueWidth, c, valueWidth, length);
            }
        }
    }

    private void storeResults(CpuMatrix out, int from, int to) {
        int size = kv.layout().valueSize();
        boolean paired = paired();
        for (int r = from; r < to; r++) {
            for (int head = 0; head < group; head++) {
                int q = (r - from) * group + head;
                long address = out.row(r) + 4L * (kvHead * group + head) * size;
                Packing.unpack(array, sums + q * valueWidth, size, paired, 1 / totals[q], address);
            }
        }
    }
}
