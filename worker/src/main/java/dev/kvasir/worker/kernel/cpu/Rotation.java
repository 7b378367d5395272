package dev.kvasir.worker.kernel.cpu;

import static dev.kvasir.worker.kernel.cpu.Memory.FLOATS;
import static dev.kvasir.worker.kernel.cpu.Memory.LANES;
import static dev.kvasir.worker.kernel.cpu.Memory.load;
import static dev.kvasir.worker.kernel.cpu.Memory.store;

import dev.kvasir.worker.kernel.RotaryTable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import jdk.incubator.vector.FloatVector;

/**
 * Rotary position embedding. Cosines and sines of a step's positions are computed once and serve the queries and keys of
 * all layers.
 */
final class Rotation extends RowOperation {
    /** Tables of one model; a model has one, or two where local and global layers differ. */
    private static final int TABLES_MAX = 16;

    private final WorkerThreads threads;
    private final List<Angles> tables = new ArrayList<>();
    private CpuMatrix heads = CpuMatrix.NONE;
    private Angles angles = new Angles(new RotaryTable(new float[0], 1, false));
    private int headSize;

    Rotation(WorkerThreads threads) {
        this.threads = threads;
    }

    void run(CpuMatrix heads, int rows, int headSize, RotaryTable rotary, int[] positions) {
        this.heads = heads;
        this.headSize = headSize;
        angles = anglesOf(rotary);
        angles.prepare(positions, rows);
        run(threads, rows, heads.columns());
    }

    @SuppressWarnings("ReferenceEquality") // One instance per model; comparing contents would cost more than it saves.
    private Angles anglesOf(RotaryTable rotary) {
        for (int i = 0; i < tables.size(); i++) {
            if (tables.get(i).table == rotary) {
                return tables.get(i);
            }
        }
        if (tables.size() == TABLES_MAX) {
            tables.removeFirst();
        }
        tables.add(new Angles(rotary));
        return tables.getLast();
    }

    /** Cosine and sine by row and frequency, of the positions seen last. */
    private static final class Angles {
        final RotaryTable table;
        float[] cosines = new float[0];
        float[] sines = new float[0];
        private int[] positions = new int[0];
        private int rows;

        Angles(RotaryTable table) {
            this.table = table;
        }

        void prepare(int[] wanted, int count) {
            if (rows == count && Arrays.equals(positions, 0, rows, wanted, 0, count)) {
                return;
            }
            int pairs = table.inverseFrequencies().length;
            if (positions.length < count) {
                positions = new int[Math.max(count, 2 * positions.length)];
                cosines = new float[positions.length * pairs];
                sines = new float[positions.length * pairs];
            }
            System.arraycopy(wanted, 0, positions, 0, count);
            rows = count;
            for (int r = 0; r < count; r++) {
                fill(wanted[r], r * pairs);
            }
        }

        private void fill(int position, int at) {
            float[] frequencies = table.inverseFrequencies();
            for (int i = 0; i < frequencies.length; i++) {
                float angle = position * frequencies[i];
                cosines[at + i] = (float) (Math.cos(angle) * table.attentionFactor());
                sines[at + i] = (float) (Math.sin(angle) * table.attentionFactor());
            }
        }
    }

    @Override
    void row(int row, int thread) {
        int pairs = angles.table.inverseFrequencies().length;
        int at = row * pairs;
        long end = heads.row(row) + 4L * heads.columns();
        for (long head = heads.row(row); head < end; head += 4L * headSize) {
            if (angles.table.interleaved()) {
                neighbours(head, pairs, angles.cosines, angles.sines, at);
            } else {
                halves(head, pairs, angles.cosines, angles.sines, at);
                rest(head, pairs, angles.cosines, angles.sines, at);
            }
        }
    }

    private static void halves(long head, int pairs, float[] cosines, float[] sines, int at) {
        long second = head + 4L * pairs;
        for (int i = 0; i + LANES <= pairs; i += LANES) {
            var cosine = FloatVector.fromArray(FLOATS, cosines, at + i);
            var sine = FloatVector.fromArray(FLOATS, sines, at + i);
            var a = load(head + 4L * i);
            var b = load(second + 4L * i);
            store(head + 4L * i, a.mul(cosine).sub(b.mul(sine)));
            store(second + 4L * i, b.mul(cosine).add(a.mul(sine)));
        }
    }

    private static void rest(long head, int pairs, float[] cosines, float[] sines, int at) {
        for (int i = pairs / LANES * LANES; i < pairs; i++) {
            turn(head + 4L * i, head + 4L * (pairs + i), cosines[at + i], sines[at + i]);
        }
    }

    private static void neighbours(long head, int pairs, float[] cosines, float[] sines, int at) {
        for (int i = 0; i < pairs; i++) {
            turn(head + 8L * i, head + 8L * i + 4, cosines[at + i], sines[at + i]);
        }
    }

    private static void turn(long first, long second, float cosine, float sine) {
        float a = Memory.get(first);
        float b = Memory.get(second);
        Memory.set(first, a * cosine - b * sine);
        Memory.set(second, b * cosine + a * sine);
    }
}
