package dev.kvasir.worker.doctor;

import dev.kvasir.model.weights.DType;
import dev.kvasir.model.weights.Tensor;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.kernel.check.KernelCheck;
import dev.kvasir.worker.runner.DrawList;
import dev.kvasir.worker.runner.Sampler;
import dev.kvasir.worker.runner.SamplingState;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;

/** Draws tokens on a device and by the CPU's sampler, from the same logits with the same random numbers. */
final class DrawCheck {
    private static final int ROWS = 8;
    private static final int[] VOCABULARIES = {5, 1000, 3072, 32_000, 151_936};
    private static final int ROUNDS = 12;
    private static final int ENTRIES_MAX = 1 << 14;

    private final Kernels kernels;
    private final Random random;
    private final DrawList list = new DrawList();
    private int cases;
    private int different;
    private String failure = "";

    private DrawCheck(Kernels kernels, long seed) {
        this.kernels = kernels;
        this.random = new Random(seed);
    }

    /** Tokens must be equal: kernels of floats are asked, whose logits are those that the host has. */
    static KernelCheck run(Kernels kernels, long seed) {
        var check = new DrawCheck(kernels, seed);
        for (int vocabulary : VOCABULARIES) {
            check.vocabulary(vocabulary);
        }
        return new KernelCheck("tokens drawn by chance", check.cases, check.different, 0, check.failure);
    }

    private void vocabulary(int vocabulary) {
        var sampler = new Sampler(vocabulary);
        var logits = kernels.allocateFloats(ROWS, vocabulary);
        var choices = kernels.allocateChoices(ROWS);
        var draws = kernels.allocateDraws(ROWS, ENTRIES_MAX);
        if (draws == null) {
            throw new IllegalArgumentException("tokens are drawn on the host");
        }
        for (int round = 0; round < ROUNDS; round++) {
            var values = values(vocabulary, round);
            fill(logits, values);
            draws.clear();
            var states = new SamplingState[ROWS];
            var positions = new int[ROWS];
            for (int row = 0; row < ROWS; row++) {
                states[row] = state(vocabulary, row + round);
                positions[row] = random.nextInt(3);
                list.add(draws, row, states[row], positions[row]);
            }
            kernels.draw(choices, logits, draws);
            var chosen = choices.read(ROWS);
            chosen.await();
            for (int row = 0; row < ROWS; row++) {
                compare(
                        sampler.sample(values[row], states[row], positions[row]).token(),
                        chosen.token(row),
                        states[row],
                        vocabulary);
            }
        }
    }

    private void compare(int expected, int given, SamplingState state, int vocabulary) {
        cases++;
        if (expected != given) {
            different++;
            if (failure.isEmpty()) {
                failure = "token %d instead of %d of %d with %s"
                        .formatted(given, expected, vocabulary, state.parameters());
            }
        }
    }

    private float[][] values(int vocabulary, int round) {
        var values = new float[ROWS][vocabulary];
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
    private void fill(Matrix logits, float[][] values) {
        try (var arena = Arena.ofConfined()) {
            int columns = logits.columns();
            var data = arena.allocate((long) ROWS * columns * Float.BYTES, 64);
            var ids = new int[ROWS];
            for (int row = 0; row < ROWS; row++) {
                ids[row] = row;
                for (int id = 0; id < columns; id++) {
                    data.setAtIndex(ValueLayout.JAVA_FLOAT, (long) row * columns + id, values[row][id]);
                }
            }
            var table = kernels.load(new Tensor("logits", DType.F32, List.of(ROWS, columns), data));
            kernels.embed(logits, ROWS, table, ids, 1);
        }
    }

    private SamplingState state(int vocabulary, int kind) {
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
                parameters(vocabulary, kind, changes, bias, stops), 0, prompt, vocabulary, new int[] {1});
        for (int i = 0; i < 10; i++) {
            state.accept(random.nextInt(vocabulary));
        }
        return state;
    }

    private SamplingParameters parameters(
            int vocabulary, int kind, boolean changes, Map<Integer, Float> bias, Set<Integer> stops) {
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
                SamplingParameters.NO_LOGPROBS,
                SamplingParameters.NO_LOGPROBS);
    }
}
