package dev.kvasir.worker.kernel.cpu;

import static dev.kvasir.worker.kernel.cpu.KernelPair.assertClose;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.kernel.Activation;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.RotaryTable;
import dev.kvasir.worker.kernel.Tensors;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Kernels under test give what the oracle gives, at awkward sizes. */
abstract class AgreementWithReference {
    /**
     * Float accumulation over at most some hundred products of size one: 2^-24 of the sum of magnitudes, with room. The
     * types of weights do not matter, both sides compute from the same stored values.
     */
    static final double FLOAT_TOLERANCE = 2e-5;

    private static final int[] SIZES = {1, 3, 7, 13, 16, 17, 31, 33, 63, 65, 100, 127, 512, 530};

    private final SplittableRandom random = new SplittableRandom(Long.getLong("seed", 11));
    private KernelPair pair = new KernelPair(TestKernels.deterministic(1));

    abstract Kernels create();

    double productTolerance() {
        return FLOAT_TOLERANCE;
    }

    @BeforeEach
    void open() {
        pair.close();
        pair = new KernelPair(create());
    }

    @AfterEach
    void close() {
        pair.tested.close();
    }

    @Test
    void productsAgree() {
        for (var dtype : DType.values()) {
            for (int columns : SIZES) {
                for (int rows : new int[] {1, 2, 3, 4, 5, 17, 33}) {
                    int outputs = SIZES[random.nextInt(SIZES.length)];
                    product(dtype, rows, outputs, columns, false, false);
                }
            }
            product(dtype, 7, 65, 100, true, false);
            product(dtype, 16, 64, 96, true, true);
            product(dtype, 1, 64, 96, false, true);
            product(dtype, 600, 40, 64, true, true);
            product(dtype, 70, 81, 1027, true, true);
            product(dtype, 2, 130, 1540, true, true);
        }
    }

    private void product(DType dtype, int rows, int outputs, int columns, boolean withBias, boolean accumulate) {
        var in = pair.random(rows, columns, 1, random);
        var out = pair.random(rows, outputs, 1, random);
        var weight = pair.load(Tensors.random(dtype, outputs, columns, (float) (1 / Math.sqrt(columns)), random));
        var bias = pair.load(Tensors.vector(dtype, Tensors.gaussian(outputs, 1, random)));
        pair.oracle.multiply(
                out.oracle(), in.oracle(), rows, weight.oracle(), withBias ? bias.oracle() : null, accumulate);
        pair.tested.multiply(
                out.tested(), in.tested(), rows, weight.tested(), withBias ? bias.tested() : null, accumulate);
        assertClose(out, rows, productTolerance(), "%s [%d, %d] by [%d]".formatted(dtype, outputs, columns, rows));
    }

    @Test
    void normsAgree() {
        for (int size : SIZES) {
            for (int groups = 1; groups <= 3; groups += 2) {
                var in = pair.random(5, groups * size, 3, random);
                var out = pair.random(5, groups * size, 1, random);
                var weight = pair.load(Tensors.vector(DType.BF16, Tensors.gaussian(size, 1, random)));
                pair.oracle.rmsNorm(out.oracle(), in.oracle(), 5, weight.oracle(), 1e-5f, 1);
                pair.tested.rmsNorm(out.tested(), in.tested(), 5, weight.tested(), 1e-5f, 1);
                assertClose(out, 5, 2e-6, "rms norm of " + size);
            }
            var in = pair.random(5, size, 3, random);
            var weight = pair.load(Tensors.vector(DType.F16, Tensors.gaussian(size, 1, random)));
            var bias = pair.load(Tensors.vector(DType.F32, Tensors.gaussian(size, 1, random)));
            pair.oracle.layerNorm(in.oracle(), in.oracle(), 5, weight.oracle(), bias.oracle(), 1e-5f);
            pair.tested.layerNorm(in.tested(), in.tested(), 5, weight.tested(), bias.tested(), 1e-5f);
            assertClose(in, 5, 5e-6, "layer norm of " + size);
        }
    }

    @Test
    void rotationsAgree() {
        for (int headSize : new int[] {6, 20, 24, 64, 80, 96, 128, 256}) {
            for (int pairs : new int[] {1, headSize / 4, headSize / 2}) {
                for (boolean interleaved : new boolean[] {false, true}) {
                    var frequencies = new float[pairs];
                    for (int i = 0; i < pairs; i++) {
                        frequencies[i] = (float) Math.pow(10_000, -i / (double) pairs);
                    }
                    var table = new RotaryTable(frequencies, 1.25f, interleaved);
                    for (int step = 0; step < 3; step++) {
                        var heads = pair.random(3, 2 * headSize, 1, random);
                        int[] positions = {0, step * 31, 4000 + step};
                        pair.oracle.rotate(heads.oracle(), 3, headSize, table, positions);
                        pair.tested.rotate(heads.tested(), 3, headSize, table, positions);
                        assertClose(heads, 3, 1e-6, "rotation of " + pairs + " pairs of " + headSize);
                    }
                }
            }
        }
    }

    @Test
    void elementOperationsAgree() {
        for (int columns : SIZES) {
            for (var activation : Activation.values()) {
                var x = pair.random(3, columns, 4, random);
                var up = pair.random(3, columns, 1, random);
                pair.oracle.activate(x.oracle(), 3, activation);
                pair.tested.activate(x.tested(), 3, activation);
                assertClose(x, 3, 2e-6, activation + " of " + columns);
                pair.oracle.gate(x.oracle(), up.oracle(), 3, activation);
                pair.tested.gate(x.tested(), up.tested(), 3, activation);
                assertClose(x, 3, 1e-5, "gate " + activation + " of " + columns);
            }
            var x = pair.random(3, columns, 40, random);
            var y = pair.random(3, columns, 1, random);
            pair.oracle.add(x.oracle(), y.oracle(), 3, 0.3f);
            pair.tested.add(x.tested(), y.tested(), 3, 0.3f);
            pair.oracle.scale(x.oracle(), 3, 0.7f, 0);
            pair.tested.scale(x.tested(), 3, 0.7f, 0);
            assertClose(x, 3, 1e-6, "add of " + columns);
            pair.oracle.scale(x.oracle(), 3, 1, 30);
            pair.tested.scale(x.tested(), 3, 1, 30);
            // The tanh is exact to 3e-7 of its cap.
            assertClose(x, 3, 1.5e-5, "softcap of " + columns);
        }
    }

    @Test
    void rowCopiesAgree() {
        for (var dtype : DType.values()) {
            var table = pair.load(Tensors.random(dtype, 9, 37, 1, random));
            var out = pair.random(4, 37, 1, random);
            int[] ids = {8, 0, 3, 3};
            pair.oracle.embed(out.oracle(), 4, table.oracle(), ids, 1.5f);
            pair.tested.embed(out.tested(), 4, table.tested(), ids, 1.5f);
            pair.oracle.addPositions(out.oracle(), 3, table.oracle(), ids, -0);
            pair.tested.addPositions(out.tested(), 3, table.tested(), ids, -0);
            var gathered = pair.random(2, 37, 1, random);
            pair.oracle.gather(gathered.oracle(), out.oracle(), new int[] {3, 1}, 0, 2);
            pair.tested.gather(gathered.tested(), out.tested(), new int[] {3, 1}, 0, 2);
            assertClose(gathered, 2, 1e-6, "rows of " + dtype);
        }
    }
}
