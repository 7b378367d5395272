package dev.kvasir.worker.doctor;

import dev.kvasir.model.weights.DType;
import dev.kvasir.model.weights.Tensor;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.runner.SamplingState;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;

/** Rows of logits, and outputs that want tokens of them, for checks against the CPU's sampler. */
final class LogitCases {
    private final Kernels kernels;
    private final Random random;

    /** @param kernels of floats, so that they have the logits that the host has */
    LogitCases(Kernels kernels, Random random) {
        this.kernels = kernels;
        this.random = random;
    }

    /** Logits of rows of a vocabulary; the kind repeats after twelve rounds. */
    float[][] values(int rows, int vocabulary, int round) {
        var values = new float[rows][vocabulary];
        double spread = new double[] {2.5, 0, 0.01, 12}[round % 4];
        for (var row : values) {
            for (int id = 0; id < vocabulary; id++) {
                // Some rounds have many equal logits.
                float value = (float) (spread * random.nextGaussian());
                row[id] = round % 3 == 0 ? Math.round(value * 4) / 4f : value;
            }
        }
        return values;
    }

    /** Kernels of floats copy rows of a table as they are. */
    void fill(Matrix logits, float[][] values) {
        try (var arena = Arena.ofConfined()) {
            int columns = logits.columns();
            int rows = values.length;
            var data = arena.allocate((long) rows * columns * Float.BYTES, 64);
            var ids = new int[rows];
            for (int row = 0; row < rows; row++) {
                ids[row] = row;
                for (int id = 0; id < columns; id++) {
                    data.setAtIndex(ValueLayout.JAVA_FLOAT, (long) row * columns + id, values[row][id]);
                }
            }
            var table = kernels.load(new Tensor("logits", DType.F32, List.of(rows, columns), data));
            kernels.embed(logits, rows, table, ids, 1);
        }
    }

    /** An output in its midst; every third kind has biases, ends that may not come and penalties. */
    SamplingState state(int vocabulary, int kind, int logprobs) {
        // Of few tokens none may be left.
        boolean changes = kind % 3 == 1 && vocabulary > 100;
        var bias = new HashMap<Integer, Float>();
        var stops = new HashSet<Integer>();
        var prompt = new int[changes ? 20 : 1];
        for (int i = 0; changes && i < 5; i++) {
            bias.put(random.nextInt(vocabulary), (float) random.nextGaussian() * 3);
            stops.add(random.nextInt(vocabulary));
        }
        for (int i = 0; i < prompt.length; i++) {
            prompt[i] = random.nextInt(vocabulary);
        }
        var state = new SamplingState(
                parameters(vocabulary, kind, changes, bias, stops, logprobs), 0, prompt, vocabulary, new int[] {1});
        for (int i = 0; i < 10; i++) {
            state.accept(random.nextInt(vocabulary));
        }
        return state;
    }

    private SamplingParameters parameters(
            int vocabulary, int kind, boolean changes, Map<Integer, Float> bias, Set<Integer> stops, int logprobs) {
        return new SamplingParameters(
                16,
                changes ? 2 : 0,
                kind % 7 == 0 ? 0 : 0.1f + 1.5f * random.nextFloat(),
                kind % 2 == 0 ? 1 : 0.3f + 0.69f * random.nextFloat(),
                kind % 5 < 2 ? 1 + random.nextInt(Math.min(2000, vocabulary)) : 0,
                kind % 4 == 3 ? 0.2f * random.nextFloat() : 0,
                changes ? 1.3f : 1,
                changes ? 0.5f : 0,
                changes ? 0.25f : 0,
                bias,
                stops,
                false,
                random.nextLong(),
                1,
                logprobs,
                SamplingParameters.NO_LOGPROBS);
    }
}
