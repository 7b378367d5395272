package dev.kvasir.worker.doctor;

import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.worker.kernel.Choices;
import dev.kvasir.worker.kernel.Draws;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.kernel.Scores;
import dev.kvasir.worker.kernel.check.KernelCheck;
import dev.kvasir.worker.runner.DrawList;
import dev.kvasir.worker.runner.NanLogitsException;
import dev.kvasir.worker.runner.Sampler;
import dev.kvasir.worker.runner.SamplingState;
import dev.kvasir.worker.runner.ScoreList;
import java.util.Arrays;
import java.util.Random;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Log-probabilities of a device and of the CPU's sampler, of the same logits. Tokens are drawn first, of some rows: the logits
 * that this changes must come back.
 */
final class ScoreCheck {
    private static final int ROWS = 8;
    private static final int ROUNDS = 12;
    /** Of a log-probability; ids and ranks must be equal. */
    private static final double TOLERANCE = 1e-5;

    private final Kernels kernels;
    private final LogitCases logitCases;
    private final Random random;
    private final DrawList drawList = new DrawList();
    private int cases;
    private double error;
    private String failure = "";

    private ScoreCheck(Kernels kernels, long seed) {
        this.kernels = kernels;
        this.random = new Random(seed);
        this.logitCases = new LogitCases(kernels, random);
    }

    /** Kernels of floats are asked, whose logits are those that the host has. */
    static KernelCheck run(Kernels kernels, long seed) {
        var check = new ScoreCheck(kernels, seed);
        for (int vocabulary : DrawCheck.VOCABULARIES) {
            check.vocabulary(vocabulary);
        }
        return new KernelCheck("log-probabilities", check.cases, check.error, TOLERANCE, check.failure);
    }

    private void vocabulary(int vocabulary) {
        var sampler = new Sampler(vocabulary);
        var logits = kernels.allocateFloats(ROWS, vocabulary);
        var choices = kernels.allocateChoices(ROWS);
        var draws = kernels.allocateDraws(ROWS, DrawCheck.ENTRIES_MAX);
        var scores = kernels.allocateScores(ROWS);
        if (draws == null || scores == null) {
            throw new IllegalArgumentException("log-probabilities are made on the host");
        }
        for (int round = 0; round < ROUNDS; round++) {
            var values = logitCases.values(ROWS, vocabulary, round);
            for (int row = 0; row < ROWS; row++) {
                spoil(values[row], row + ROWS * round);
            }
            logitCases.fill(logits, values);
            round(sampler, logits, values, choices, draws, scores);
        }
    }

    /** Some rows have logits of minus infinity, some have logits that are no numbers. */
    private void spoil(float[] row, int kind) {
        for (int i = 0; kind % 5 == 1 && i < row.length / 3; i++) {
            row[random.nextInt(row.length)] = Float.NEGATIVE_INFINITY;
        }
        switch (kind % 23) {
            case 20 -> row[random.nextInt(row.length)] = Float.NaN;
            case 21 -> row[random.nextInt(row.length)] = Float.POSITIVE_INFINITY;
            case 22 -> Arrays.fill(row, Float.NEGATIVE_INFINITY);
            default -> {}
        }
    }

    /** Of four rows, the tokens of three are chosen: one greedily, two as the output says; that of the fourth is given. */
    private void round(Sampler sampler, Matrix logits, float[][] values, Choices choices, Draws draws, Scores scores) {
        int vocabulary = logits.columns();
        var states = new SamplingState[ROWS];
        var tokens = new int[ROWS];
        kernels.chooseLargest(choices, logits, ROWS);
        draws.clear();
        scores.clear();
        for (int row = 0; row < ROWS; row++) {
            int topCount = random.nextInt(SamplingParameters.LOGPROBS_MAX + 1);
            states[row] = logitCases.state(vocabulary, row == 0 ? 0 : random.nextInt(100), topCount);
            tokens[row] = random.nextInt(vocabulary);
            if (row % 4 == 3) {
                scores.add(row, tokens[row], topCount);
                continue;
            }
            scores.addChosen(row, topCount);
            drawList.add(draws, row, states[row], 0);
        }
        kernels.draw(choices, logits, draws);
        var chosen = choices.read(ROWS);
        var reading = kernels.score(choices, logits, scores);
        chosen.await();
        reading.await();
        for (int row = 0; row < ROWS; row++) {
            int at = row;
            var state = states[row];
            int topCount = state.parameters().logprobs();
            boolean given = row % 4 == 3;
            if (!given && !Float.isFinite(chosen.logit(row))) {
                cases++;
                expectFailure(() -> sampler.sample(values[at], state, 0), vocabulary);
                continue;
            }
            compare(
                    scored(() -> given
                            ? sampler.score(values[at], tokens[at], topCount)
                            : sampler.sample(values[at], state, 0)),
                    scored(() -> ScoreList.token(reading, at, topCount, vocabulary)),
                    vocabulary);
        }
    }

    private static @Nullable ScoredToken scored(Supplier<ScoredToken> supplier) {
        try {
            return supplier.get();
        } catch (NanLogitsException _) {
            return null;
        }
    }

    private void expectFailure(Supplier<ScoredToken> sampled, int vocabulary) {
        if (scored(sampled) != null) {
            fail("no token was chosen of %d".formatted(vocabulary));
        }
    }

    /** Null is a failure. */
    private void compare(@Nullable ScoredToken expected, @Nullable ScoredToken given, int vocabulary) {
        cases++;
        if (expected == null || given == null) {
            if ((expected == null) != (given == null)) {
                fail("logits of %d tokens cannot be used, says only one of both".formatted(vocabulary));
            }
            return;
        }
        if (expected.token() != given.token()
                || expected.rank() != given.rank()
                || !Arrays.equals(expected.topIds(), given.topIds())) {
            fail("token %d of rank %d, best %s, instead of token %d of rank %d, best %s, of %d"
                    .formatted(
                            given.token(),
                            given.rank(),
                            Arrays.toString(given.topIds()),
                            expected.token(),
                            expected.rank(),
                            Arrays.toString(expected.topIds()),
                            vocabulary));
            return;
        }
        differ(expected.logprob(), given.logprob());
        for (int i = 0; i < expected.topIds().length; i++) {
            differ(expected.topLogprobs()[i], given.topLogprobs()[i]);
        }
    }

    private void differ(float expected, float given) {
        if (Float.compare(expected, given) != 0) {
            double difference = Math.abs((double) expected - given) / Math.max(1, Math.abs(expected));
            error = Double.isNaN(difference) ? Double.POSITIVE_INFINITY : Math.max(error, difference);
        }
    }

    private void fail(String what) {
        failure = failure.isEmpty() ? what : failure;
    }
}
