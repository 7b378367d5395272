package dev.kvasir.worker.kernel.cpu;

import static dev.kvasir.worker.kernel.cpu.Memory.FLOATS;
import static dev.kvasir.worker.kernel.cpu.Memory.LANES;
import static dev.kvasir.worker.kernel.cpu.Memory.load;
import static dev.kvasir.worker.kernel.cpu.Memory.store;

import jdk.incubator.vector.FloatVector;
import org.jspecify.annotations.Nullable;

/** Root-mean-square and layer norms. Sums are in float, by lane; at most some thousand elements each. */
final class Norm extends RowOperation {
    private final WorkerThreads threads;
    private final float[][] lanes;
    private CpuMatrix out = CpuMatrix.NONE;
    private CpuMatrix in = CpuMatrix.NONE;
    private CpuWeight weight = CpuWeight.NONE;
    private @Nullable CpuWeight bias;
    private float epsilon;
    private float weightOffset;
    private int groups;
    private boolean centred;

    Norm(WorkerThreads threads) {
        this.threads = threads;
        lanes = new float[threads.count()][16 + LANES];
    }

    void rms(CpuMatrix out, CpuMatrix in, int rows, CpuWeight weight, int groups, float epsilon, float weightOffset) {
        centred = false;
        bias = null;
        this.groups = groups;
        this.weightOffset = weightOffset;
        run(out, in, rows, weight, epsilon);
    }

    void layer(CpuMatrix out, CpuMatrix in, int rows, CpuWeight weight, @Nullable CpuWeight bias, float epsilon) {
        centred = true;
        this.bias = bias;
        groups = 1;
        weightOffset = 0;
        run(out, in, rows, weight, epsilon);
    }

    private void run(CpuMatrix out, CpuMatrix in, int rows, CpuWeight weight, float epsilon) {
        this.out = out;
        this.in = in;
        this.weight = weight;
        this.epsilon = epsilon;
        run(threads, rows, in.stride());
    }

    @Override
    void row(int row, int thread) {
        int size = weight.columns();
        float[] lanes = this.lanes[thread];
        for (int group = 0; group < groups; group++) {
            long from = in.row(row) + 4L * group * size;
            long to = out.row(row) + 4L * group * size;
            float mean = centred ? sum(from, size, lanes) / size : 0;
            float scale = (float) (1 / Math.sqrt(squares(from, size, mean, lanes) / (double) size + epsilon));
            apply(from, to, weight.address(), size, mean, scale, weightOffset);
            applyTail(from, to, weight.address(), size, mean, scale, weightOffset);
            if (bias != null) {
                addBias(to, bias.address(), size);
            }
        }
    }

    private static float sum(long from, int size, float[] lanes) {
        int whole = size / LANES * LANES;
        sumLanes(from, whole, lanes);
        float total = DotTiles.sum(lanes, 0);
        for (int i = whole; i < size; i++) {
            total += Memory.get(from + 4L * i);
        }
        return total;
    }

    private static void sumLanes(long from, int count, float[] lanes) {
        var sum = FloatVector.zero(FLOATS);
        for (int i = 0; i < count; i += LANES) {
            sum = sum.add(load(from + 4L * i));
        }
        sum.intoArray(lanes, 0);
    }

    private static float squares(long from, int size, float mean, float[] lanes) {
        int whole = size / LANES * LANES;
        squareLanes(from, whole, mean, lanes);
        float total = DotTiles.sum(lanes, 0);
        for (int i = whole; i < size; i++) {
            float difference = Memory.get(from + 4L * i) - mean;
            total += difference * difference;
        }
        return total;
    }

    private static void squareLanes(long from, int count, float mean, float[] lanes) {
        var sum = FloatVector.zero(FLOATS);
        for (int i = 0; i < count; i += LANES) {
            var difference = load(from + 4L * i).sub(mean);
            sum = difference.fma(difference, sum);
        }
        sum.intoArray(lanes, 0);
    }

    private static void apply(long from, long to, long weight, int size, float mean, float scale, float offset) {
        int whole = size / LANES * LANES;
        for (int i = 0; i < whole; i += LANES) {
            var normal = load(from + 4L * i).sub(mean).mul(scale);
            store(to + 4L * i, normal.mul(load(weight + 4L * i).add(offset)));
        }
    }

    private static void applyTail(long from, long to, long weight, int size, float mean, float scale, float offset) {
        for (int i = size / LANES * LANES; i < size; i++) {
            float normal = (Memory.get(from + 4L * i) - mean) * scale;
            Memory.set(to + 4L * i, normal * (Memory.get(weight + 4L * i) + offset));
        }
    }

    private static void addBias(long to, long bias, int size) {
        for (int i = 0; i < size; i++) {
            Memory.set(to + 4L * i, Memory.get(to + 4L * i) + Memory.get(bias + 4L * i));
        }
    }
}
