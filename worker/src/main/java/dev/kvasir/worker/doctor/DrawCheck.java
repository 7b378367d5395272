package dev.kvasir.worker.doctor;

import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.check.KernelCheck;
import dev.kvasir.worker.runner.DrawList;
import dev.kvasir.worker.runner.Sampler;
import dev.kvasir.worker.runner.SamplingState;
import java.util.Random;

/** Draws tokens on a device and by the CPU's sampler, from the same logits with the same random numbers. */
final class DrawCheck {
    private static final int ROWS = 8;
    static final int[] VOCABULARIES = {5, 1000, 3072, 32_000, 151_936};
    private static final int ROUNDS = 12;
    static final int ENTRIES_MAX = 1 << 14;

    private final Kernels kernels;
    private final LogitCases logitCases;
    private final Random random;
    private final DrawList list = new DrawList();
    private int cases;
    private int different;
    private String failure = "";

    private DrawCheck(Kernels kernels, long seed) {
        this.kernels = kernels;
        this.random = new Random(seed);
        this.logitCases = new LogitCases(kernels, random);
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
            var values = logitCases.values(ROWS, vocabulary, round);
            logitCases.fill(logits, values);
            draws.clear();
            var states = new SamplingState[ROWS];
            var positions = new int[ROWS];
            for (int row = 0; row < ROWS; row++) {
                states[row] = logitCases.state(vocabulary, row + round, SamplingParameters.NO_LOGPROBS);
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
}
