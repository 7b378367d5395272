package dev.kvasir.worker.kernel.cpu;

import static dev.kvasir.worker.kernel.cpu.Memory.FLOATS;
import static dev.kvasir.worker.kernel.cpu.Memory.LANES;
import static dev.kvasir.worker.kernel.cpu.Memory.load;
import static dev.kvasir.worker.kernel.cpu.Memory.store;

import dev.kvasir.worker.kernel.Activation;
import jdk.incubator.vector.FloatVector;

/** Element by element, in place. Rows are padded to whole vectors, so there are no tails. */
final class ElementOperation extends RowOperation {
    private static final float SQRT_HALF = (float) Math.sqrt(0.5);
    private static final float SQRT_TWO_OVER_PI = (float) Math.sqrt(2 / Math.PI);

    private enum Kind {
        GATE,
        ACTIVATE,
        ADD,
        SCALE
    }

    /** Elements that pass through scratch at a time. */
    private static final int STRETCH = 1024;

    private final WorkerThreads threads;
    private final FloatScratch[] scratch;
    private Kind kind = Kind.ADD;
    private CpuMatrix x = CpuMatrix.NONE;
    private CpuMatrix other = CpuMatrix.NONE;
    private Activation activation = Activation.RELU;
    private float scale;
    private float softcap;

    ElementOperation(WorkerThreads threads) {
        this.threads = threads;
        scratch = FloatScratch.perThread(threads.count());
    }

    void gate(CpuMatrix gate, CpuMatrix up, int rows, Activation activation) {
        this.activation = activation;
        run(Kind.GATE, gate, up, rows);
    }

    void activate(CpuMatrix x, int rows, Activation activation) {
        this.activation = activation;
        run(Kind.ACTIVATE, x, x, rows);
    }

    void add(CpuMatrix out, CpuMatrix in, int rows, float scale) {
        this.scale = scale;
        run(Kind.ADD, out, in, rows);
    }

    void scale(CpuMatrix x, int rows, float scale, float softcap) {
        this.scale = scale;
        this.softcap = softcap;
        run(Kind.SCALE, x, x, rows);
    }

    private void run(Kind kind, CpuMatrix x, CpuMatrix other, int rows) {
        this.kind = kind;
        this.x = x;
        this.other = other;
        run(threads, rows, x.stride());
    }

    @Override
    void row(int row, int thread) {
        for (int from = 0; from < x.stride(); from += STRETCH) {
            long to = x.row(row) + 4L * from;
            stretch(to, other.row(row) + 4L * from, Math.min(STRETCH, x.stride() - from), scratch[thread]);
        }
    }

    private void stretch(long to, long from, int count, FloatScratch scratch) {
        switch (kind) {
            case GATE -> {
                activate(to, count, scratch);
                multiply(to, from, count);
            }
            case ACTIVATE -> activate(to, count, scratch);
            case ADD -> add(to, from, count, scale);
            case SCALE -> {
                if (softcap == 0) {
                    scale(to, count, scale);
                } else {
                    float[] array = scratch.ensure(STRETCH);
                    cubic(to, count, scale / softcap, 0, array, scratch.start());
                    VectorMath.tanh(array, scratch.start(), count, softcap);
                    put(to, count, array, scratch.start());
                }
            }
        }
    }

    private void activate(long x, int count, FloatScratch scratch) {
        float[] array = scratch.ensure(2 * STRETCH);
        int at = scratch.start();
        switch (activation) {
            case SILU -> {
                cubic(x, count, 1, 0, array, at);
                VectorMath.sigmoid(array, at, count, 1, 0);
                multiply(x, count, array, at);
            }
            case GELU -> {
                cubic(x, count, SQRT_HALF, 0, array, at);
                VectorMath.erf(array, at, count, at + STRETCH);
                multiplyHalfOnePlus(x, count, array, at);
            }
            case GELU_TANH -> {
                // (1 + tanh(u)) / 2 is the sigmoid of 2u.
                cubic(x, count, 2 * SQRT_TWO_OVER_PI, 2 * SQRT_TWO_OVER_PI * 0.044715f, array, at);
                VectorMath.sigmoid(array, at, count, 1, 0);
                multiply(x, count, array, at);
            }
            case RELU -> relu(x, count);
        }
    }

    /** array = x * (linear + cubic * x^2). */
    private static void cubic(long x, int count, float linear, float cubic, float[] array, int at) {
        for (int i = 0; i < count; i += LANES) {
            var value = load(x + 4L * i);
            value.mul(value).mul(cubic).add(linear).mul(value).intoArray(array, at + i);
        }
    }

    private static void put(long x, int count, float[] array, int at) {
        for (int i = 0; i < count; i += LANES) {
            store(x + 4L * i, FloatVector.fromArray(FLOATS, array, at + i));
        }
    }

    private static void multiply(long x, int count, float[] array, int at) {
        for (int i = 0; i < count; i += LANES) {
            store(x + 4L * i, load(x + 4L * i).mul(FloatVector.fromArray(FLOATS, array, at + i)));
        }
    }

    private static void multiplyHalfOnePlus(long x, int count, float[] array, int at) {
        for (int i = 0; i < count; i += LANES) {
            var factor = FloatVector.fromArray(FLOATS, array, at + i).add(1f).mul(0.5f);
            store(x + 4L * i, load(x + 4L * i).mul(factor));
        }
    }

    private static void relu(long x, int count) {
        for (int i = 0; i < count; i += LANES) {
            store(x + 4L * i, load(x + 4L * i).max(0f));
        }
    }

    private static void multiply(long x, long other, int count) {
        for (int i = 0; i < count; i += LANES) {
            store(x + 4L * i, load(x + 4L * i).mul(load(other + 4L * i)));
        }
    }

    private static void add(long x, long other, int count, float scale) {
        for (int i = 0; i < count; i += LANES) {
            store(x + 4L * i, load(other + 4L * i).mul(scale).add(load(x + 4L * i)));
        }
    }

    private static void scale(long x, int count, float scale) {
        for (int i = 0; i < count; i += LANES) {
            store(x + 4L * i, load(x + 4L * i).mul(scale));
        }
    }
}
