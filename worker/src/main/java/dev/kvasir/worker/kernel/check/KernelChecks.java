package dev.kvasir.worker.kernel.check;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.kernel.Activation;
import dev.kvasir.worker.kernel.AttentionShape;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.KvFormat;
import dev.kvasir.worker.kernel.KvLayout;
import dev.kvasir.worker.kernel.MatrixGroup;
import dev.kvasir.worker.kernel.RotaryTable;
import dev.kvasir.worker.kernel.check.CheckedPair.Both;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;

/** Every operation of kernels against the reference, at awkward sizes and at those of real models. */
public final class KernelChecks {
    private static final int[] SIZES = {1, 3, 7, 13, 16, 17, 31, 33, 64, 65, 100, 128, 512, 530};
    private static final int[] ROWS = {1, 2, 3, 4, 5, 8, 16, 17, 33, 64, 128, 257};
    private static final int[] HEAD_SIZES = {6, 20, 64, 80, 96, 128, 256};

    /** The largest lists that a check hands over: kernels with fixed room must have this much. */
    public static final int ROWS_MAX = 4096;

    public static final int SEQUENCES_MAX = 64;
    public static final int BLOCKS_PER_SEQUENCE_MAX = 512;

    private final CheckedPair pair;
    private final Consumer<KernelCheck> each;
    private final double rounding;

    private KernelChecks(CheckedPair pair, Consumer<KernelCheck> each) {
        this.pair = pair;
        this.each = each;
        this.rounding = switch (pair.type) {
            case F32 -> 2e-6;
            case F16 -> 0x1p-11;
            case BF16 -> 0x1p-8;
        };
    }

    /**
     * Runs all checks; one that fails does not keep the others from running.
     *
     * @param type of the kernels' activations
     * @param each told of each check as it is done
     */
    public static void run(Kernels tested, DType type, long seed, Consumer<KernelCheck> each) {
        try (var pair = new CheckedPair(tested, type, seed)) {
            var checks = new KernelChecks(pair, each);
            // Sums of some hundred products of size one: 2^-24 of the sum of magnitudes, with room. Of shorter types a
            // sum may
            // be rounded before a bias or what was there is added.
            checks.check("product", Math.max(2e-5, 3 * checks.rounding), checks::products);
            checks.check(
                    "product of one matrix for several outputs", Math.max(2e-5, 3 * checks.rounding), checks::groups);
            checks.check("norms", 1e-5, checks::norms);
            checks.check("rotary positions", 4e-6, checks::rotations);
            checks.check("activations", 1e-5, checks::activations);
            checks.check("add and scale", 1.5e-5, checks::additions);
            checks.check("rows of tables", 1e-6, checks::rowCopies);
            checks.check("largest logit", 0, checks::choices);
            for (var format : KvFormat.values()) {
                checks.check(
                        "attention over " + format, attentionTolerance(type, format), () -> checks.attention(format));
            }
            for (var format : List.of(KvFormat.of(type), KvFormat.FP8)) {
                checks.check(
                        "attention over " + format + " with window and cap",
                        attentionTolerance(type, format),
                        () -> checks.bounded(format));
            }
            checks.check(
                    "attention after a block was copied",
                    attentionTolerance(type, KvFormat.of(type)),
                    checks::copiedBlock);
        }
    }

    /**
     * Keys and values of a shorter type than activations are rounded on both sides, from values that may differ: one that
     * lies between two numbers of FP8 becomes the other one in a few of a thousand cases, and is then 1/16 to 1/8 apart.
     */
    private static double attentionTolerance(DType type, KvFormat format) {
        if (format == KvFormat.FP8) {
            return 5e-2;
        }
        if (type == DType.F32 && format == KvFormat.F32) {
            return 1e-4;
        }
        return type == DType.BF16 || format == KvFormat.BF16 ? 2e-2 : 3e-3;
    }

    private interface Body {
        void run();
    }

    private void check(String name, double tolerance, Body body) {
        pair.restart();
        String failure = "";
        try {
            body.run();
        } catch (RuntimeException e) {
            failure = String.valueOf(e);
        }
        each.accept(new KernelCheck(
                name, pair.cases(), pair.error(), Math.max(tolerance, tolerance == 0 ? 0 : 1.1 * rounding), failure));
    }

    private int size() {
        return SIZES[pair.random.nextInt(SIZES.length)];
    }

    private void products() {
        for (int columns : SIZES) {
            for (int rows : ROWS) {
                product(rows, size(), columns, false, false);
            }
        }
        product(7, 65, 100, true, false);
        product(16, 64, 96, true, true);
        product(1, 64, 96, false, true);
        product(600, 40, 64, true, true);
        for (int rows : new int[] {1, 2, 4, 8, 16, 32, 64, 100}) {
            product(rows, 256, 1024, false, true);
            product(rows, 1024, 512, false, false);
        }
        // Products of some rows in pieces of tiles: whole ones and parts, by numbers of rows that fill no tile.
        for (int rows : new int[] {17, 33, 64, 65, 128, 150, 193, 255, 256}) {
            product(rows, 8 * (1 + pair.random.nextInt(40)), 8 * (1 + pair.random.nextInt(100)), true, true);
            product(rows, 1096, 264, false, true);
            product(rows, 136, 8, true, false);
        }
        product(40, 17_416, 72, true, false);
        product(200, 136, 9_000, false, true);
    }

    private void product(int rows, int outputs, int columns, boolean withBias, boolean accumulate) {
        var in = pair.matrix(rows, columns, 1);
        var out = pair.matrix(rows, outputs, 1);
        var weight = pair.weight(outputs, columns, (float) (1 / Math.sqrt(columns)));
        var bias = pair.vector(outputs, 1);
        pair.reference.multiply(
                out.reference(),
                in.reference(),
                rows,
                weight.reference(),
                withBias ? bias.reference() : null,
                accumulate);
        pair.tested.multiply(
                out.tested(), in.tested(), rows, weight.tested(), withBias ? bias.tested() : null, accumulate);
        pair.compare(out, rows);
    }

    private void groups() {
        for (int rows : new int[] {1, 5, 17, 64, 100, 200}) {
            for (int[] outputs : new int[][] {{128, 64, 64}, {256, 256}, {72, 72}, {13, 7}}) {
                group(rows, outputs, 256);
            }
        }
    }

    private void group(int rows, int[] outputs, int columns) {
        var in = pair.matrix(rows, columns, 1);
        MatrixGroup expected = pair.reference.allocateGroup(rows, outputs);
        MatrixGroup actual = pair.tested.allocateGroup(rows, outputs);
        var weights = Arrays.stream(outputs)
                .mapToObj(count -> pair.weight(count, columns, (float) (1 / Math.sqrt(columns))))
                .toList();
        var joined = pair.tested.join(weights.stream().map(Both::tested).toList());
        for (int i = 0; i < outputs.length; i++) {
            pair.reference.multiply(
                    expected.parts().get(i),
                    in.reference(),
                    rows,
                    weights.get(i).reference(),
                    null,
                    false);
            if (joined == null) {
                pair.tested.multiply(
                        actual.parts().get(i), in.tested(), rows, weights.get(i).tested(), null, false);
            }
        }
        if (joined != null && actual.whole() != null) {
            pair.tested.multiply(actual.whole(), in.tested(), rows, joined, null, false);
        }
        for (int i = 0; i < outputs.length; i++) {
            pair.compare(new Both<>(expected.parts().get(i), actual.parts().get(i)), rows);
        }
        if (outputs.length == 2 && outputs[0] == outputs[1]) {
            pair.reference.gate(expected.parts().get(0), expected.parts().get(1), rows, Activation.SILU);
            pair.tested.gate(actual.parts().get(0), actual.parts().get(1), rows, Activation.SILU);
            pair.compare(new Both<>(expected.parts().get(0), actual.parts().get(0)), rows);
            if (joined != null && actual.whole() != null) {
                var gated = pair.tested.multiplyGated(actual, in.tested(), rows, joined, Activation.SILU);
                pair.compare(new Both<>(expected.parts().get(0), gated), rows);
            }
        }
    }

    private void norms() {
        for (int size : new int[] {1, 3, 13, 64, 100, 128, 530, 4096, 8200}) {
            for (int groups = 1; groups <= 3; groups += 2) {
                var in = pair.matrix(5, groups * size, 3);
                var out = pair.empty(5, groups * size);
                var weight = pair.vector(size, 1);
                pair.reference.rmsNorm(out.reference(), in.reference(), 5, weight.reference(), 1e-5f, 1);
                pair.tested.rmsNorm(out.tested(), in.tested(), 5, weight.tested(), 1e-5f, 1);
                pair.compare(out, 5);
            }
            var in = pair.matrix(5, size, 3);
            var weight = pair.vector(size, 1);
            var bias = pair.vector(size, 1);
            pair.reference.layerNorm(in.reference(), in.reference(), 5, weight.reference(), bias.reference(), 1e-5f);
            pair.tested.layerNorm(in.tested(), in.tested(), 5, weight.tested(), bias.tested(), 1e-5f);
            pair.compare(in, 5);
        }
    }

    private static RotaryTable table(int pairs, boolean interleaved) {
        var frequencies = new float[pairs];
        for (int i = 0; i < pairs; i++) {
            frequencies[i] = (float) Math.pow(10_000, -i / (double) pairs);
        }
        return new RotaryTable(frequencies, 1.25f, interleaved);
    }

    private void rotations() {
        for (int headSize : HEAD_SIZES) {
            for (int pairs : new int[] {1, headSize / 4, headSize / 2}) {
                for (boolean interleaved : new boolean[] {false, true}) {
                    var table = table(pairs, interleaved);
                    var heads = pair.matrix(3, 2 * headSize, 1);
                    int[] positions = {0, 31, 70_000};
                    pair.reference.rotate(heads.reference(), 3, headSize, table, positions);
                    pair.tested.rotate(heads.tested(), 3, headSize, table, positions);
                    pair.compare(heads, 3);
                }
            }
        }
    }

    private void activations() {
        for (int columns : SIZES) {
            for (var activation : Activation.values()) {
                var x = pair.matrix(3, columns, 4);
                pair.reference.activate(x.reference(), 3, activation);
                pair.tested.activate(x.tested(), 3, activation);
                pair.compare(x, 3);
                var gate = pair.matrix(3, columns, 4);
                var up = pair.matrix(3, columns, 1);
                pair.reference.gate(gate.reference(), up.reference(), 3, activation);
                pair.tested.gate(gate.tested(), up.tested(), 3, activation);
                pair.compare(gate, 3);
            }
        }
    }

    private void additions() {
        for (int columns : SIZES) {
            var x = pair.matrix(3, columns, 40);
            var y = pair.matrix(3, columns, 1);
            pair.reference.add(x.reference(), y.reference(), 3, 0.3f);
            pair.tested.add(x.tested(), y.tested(), 3, 0.3f);
            pair.compare(x, 3);
            for (float softcap : new float[] {0, 30}) {
                var z = pair.matrix(3, columns, 40);
                pair.reference.scale(z.reference(), 3, 0.7f, softcap);
                pair.tested.scale(z.tested(), 3, 0.7f, softcap);
                pair.compare(z, 3);
            }
        }
    }

    private void rowCopies() {
        var table = pair.weight(9, 37, 1);
        var out = pair.empty(4, 37);
        int[] ids = {8, 0, 3, 3};
        pair.reference.embed(out.reference(), 4, table.reference(), ids, 1.5f);
        pair.tested.embed(out.tested(), 4, table.tested(), ids, 1.5f);
        pair.compare(out, 4);
        var sum = pair.matrix(4, 37, 1);
        pair.reference.addPositions(sum.reference(), 3, table.reference(), ids, 0);
        pair.tested.addPositions(sum.tested(), 3, table.tested(), ids, 0);
        pair.compare(sum, 4);
        var gathered = pair.empty(2, 37);
        pair.reference.gather(gathered.reference(), sum.reference(), new int[] {0, 3, 1}, 1, 2);
        pair.tested.gather(gathered.tested(), sum.tested(), new int[] {0, 3, 1}, 1, 2);
        pair.compare(gathered, 2);
    }

    /** Logits are copies of the input's columns, so that ties are exact. */
    private void choices() {
        for (int vocabulary : new int[] {1, 5, 31, 1000, 5000, 32_001}) {
            int rows = 3;
            var in = pair.matrix(rows, 1, 1);
            var weight = pair.weight(vocabulary, 1, 1);
            var logits = pair.tested.allocateFloats(rows, vocabulary);
            pair.tested.multiply(logits, in.tested(), rows, weight.tested(), null, false);
            var choices = pair.tested.allocateChoices(rows);
            pair.tested.chooseLargest(choices, logits, rows);
            var chosen = choices.read(rows);
            chosen.await();
            var row = new float[vocabulary];
            for (int r = 0; r < rows; r++) {
                logits.read(r, row);
                int best = 0;
                for (int id = 1; id < vocabulary; id++) {
                    best = row[id] > row[best] ? id : best;
                }
                pair.same(best, chosen.token(r));
                pair.same(Float.floatToIntBits(row[best]), Float.floatToIntBits(chosen.logit(r)));
            }
        }
    }

    private void attention(KvFormat format) {
        var check = new AttentionCheck(pair);
        for (int headSize : HEAD_SIZES) {
            var shape = shape(4, 2, headSize, 0, 0);
            check.run(shape, headSize, 16, format, new int[][] {{0, 1}, {5, 6}, {0, 33}, {40, 70}});
        }
        for (int group : new int[] {1, 3, 4, 8}) {
            check.run(shape(2 * group, 2, 128, 0, 0), 128, 16, format, new int[][] {{299, 300}, {63, 64}, {0, 130}});
        }
        check.run(shape(4, 1, 64, 0, 0), 64, 8, format, new int[][] {{1000, 1001}, {15, 16}, {16, 17}});
        check.run(shape(3, 3, 24, 0, 0), 16, 4, format, new int[][] {{7, 9}, {0, 5}});
        // A step of decoding alone, of prompts alone, and both.
        check.run(shape(8, 2, 128, 0, 0), 128, 16, format, new int[][] {{511, 512}, {512, 513}, {0, 1}, {129, 130}});
        check.run(shape(8, 2, 64, 0, 0), 64, 16, format, new int[][] {{0, 200}, {64, 130}});
        // Few new tokens after a long context, alone and beside others.
        check.run(shape(2, 1, 64, 0, 0), 64, 16, format, new int[][] {{1100, 1133}});
        check.run(shape(4, 1, 128, 0, 0), 128, 16, format, new int[][] {{600, 617}, {99, 100}, {530, 532}});
        check.run(shape(2, 1, 256, 0, 0), 256, 16, format, new int[][] {{530, 540}});
    }

    private void bounded(KvFormat format) {
        var check = new AttentionCheck(pair);
        for (int headSize : new int[] {20, 64, 128, 256}) {
            for (int window : new int[] {1, 16, 50}) {
                check.run(shape(4, 2, headSize, window, 0), headSize, 16, format, new int[][] {
                    {0, 1}, {99, 100}, {0, 90}, {40, 130}
                });
            }
            check.run(shape(4, 2, headSize, 0, 5), headSize, 16, format, new int[][] {{99, 100}, {0, 90}, {40, 130}});
            check.run(shape(4, 2, headSize, 33, 5), headSize, 8, format, new int[][] {{99, 100}, {0, 90}});
        }
        check.run(shape(2, 1, 64, 700, 5), 64, 16, format, new int[][] {{1100, 1133}});
    }

    private static AttentionShape shape(int heads, int kvHeads, int headSize, int window, float softcap) {
        return new AttentionShape(heads, kvHeads, headSize, (float) (1 / Math.sqrt(headSize)), window, softcap);
    }

    private void copiedBlock() {
        var layout = new KvLayout(2, 2, 16, 16, 4, pair.type);
        var kv = new Both<>(pair.reference.allocateKv(layout, 4), pair.tested.allocateKv(layout, 4));
        new AttentionCheck(pair).copied(kv, shape(4, 2, 16, 0, 0));
    }
}
