package dev.kvasir.worker.forward;

import dev.kvasir.model.ModelFolder;
import dev.kvasir.model.weights.DType;
import dev.kvasir.model.weights.LoadProgress;
import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.worker.device.GpuSearch;
import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.Choices;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.KvFormat;
import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.kernel.PreparationProgress;
import dev.kvasir.worker.kernel.ReferenceKernels;
import dev.kvasir.worker.kernel.Scores;
import dev.kvasir.worker.kernel.StepLimits;
import dev.kvasir.worker.kernel.cuda.CudaKernels;
import dev.kvasir.worker.kernel.cuda.CudaOptions;
import dev.kvasir.worker.runner.Sampler;
import dev.kvasir.worker.runner.ScoreList;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * A program for a machine with a GPU: every golden model on the GPU, in f32 and in bf16 (weights, activations, keys and
 * values), recorded steps included. Each token of the reference is fed whatever was chosen, so that one difference does not
 * hide what follows; where another token was chosen, by how much it led is printed. Log-probabilities are the device's own,
 * which are also compared with what the host's sampler makes of the same logits.
 */
final class GpuGoldenRun {
    private static final int BLOCK_SIZE = 16;
    /** Of log-probabilities of the same logits. */
    private static final double SCORE_TOLERANCE = 1e-5;

    private static final int TOP_COUNT = 5;

    private final GoldenCase golden;
    private final DType type;
    private final KvFormat format;
    private double logprobError;
    private double logprobErrors;
    private double worstLead;
    private int tokens;
    private int others;
    private int choiceErrors;
    private int scoreErrors;

    private record Kind(DType type, KvFormat format) {}

    private static final List<Kind> KINDS = List.of(
            new Kind(DType.F32, KvFormat.F32),
            new Kind(DType.BF16, KvFormat.BF16),
            new Kind(DType.F16, KvFormat.F16),
            new Kind(DType.F32, KvFormat.FP8),
            new Kind(DType.BF16, KvFormat.FP8),
            new Kind(DType.F16, KvFormat.FP8));

    private GpuGoldenRun(GoldenCase golden, Kind kind) {
        this.golden = golden;
        this.type = kind.type();
        this.format = kind.format();
    }

    /** Arguments: nothing, or "reference" for the plain-Java kernels. Exit status 1 where something is out of tolerance. */
    public static void main(String[] arguments) {
        boolean reference = arguments.length > 0 && arguments[0].equals("reference");
        int failures = 0;
        System.out.println(
                "model                    type  KV    tokens  logprob error    in mean  other tokens  by at most");
        for (var golden : GoldenCase.all()) {
            for (var kind : KINDS) {
                var run = new GpuGoldenRun(golden, kind);
                try {
                    run.compute(reference);
                    failures += run.print() ? 0 : 1;
                } catch (RuntimeException e) {
                    failures++;
                    System.out.printf("%-24s %-5s FAILED %s%n", golden.name(), kind, e);
                }
            }
        }
        System.out.println(failures == 0 ? "golden: all within tolerance" : "golden: " + failures + " FAILED");
        System.exit(failures == 0 ? 0 : 1);
    }

    /**
     * bf16 keeps 8 bits of each of some dozen products after another; f16 keeps 11; FP8 keeps 4 of keys and values, which in
     * these models of random weights move log probabilities by 0.03 to 0.15 in the mean and by 1.13 at most.
     */
    private double tolerance() {
        if (format == KvFormat.FP8) {
            return 2.5;
        }
        return switch (type) {
            case F32 -> 2e-4;
            case F16 -> 0.05;
            case BF16 -> 0.25;
        };
    }

    private double mean() {
        return logprobErrors / tokens;
    }

    private boolean print() {
        boolean good = logprobError <= tolerance()
                && worstLead <= 2 * tolerance()
                && choiceErrors == 0
                && scoreErrors == 0
                && mean() <= Math.min(0.25, tolerance());
        System.out.println(String.format(
                Locale.ROOT,
                "%-24s %-5s %-4s %7d %14.2e %10.2e %13d %11.2e %s%s%s",
                golden.name(),
                type,
                format,
                tokens,
                logprobError,
                mean(),
                others,
                worstLead,
                good ? "" : "BAD",
                choiceErrors == 0 ? "" : " choices differ from logits " + choiceErrors + " times",
                scoreErrors == 0 ? "" : " scores differ from the sampler's " + scoreErrors + " times"));
        return good;
    }

    private Kernels open(StepLimits limits, boolean reference) {
        if (reference) {
            return new ReferenceKernels();
        }
        return switch (GpuSearch.first()) {
            case GpuSearch.None(var reason) -> throw new IllegalStateException(reason);
            case GpuSearch.Found(var gpu) ->
                CudaKernels.open(gpu, type, limits, new CudaOptions(0.2, Path.of("target", "cuda"), ""));
        };
    }

    private void compute(boolean reference) {
        var folder = ModelFolder.open(golden.folder());
        int rowsMax =
                golden.runs().stream().mapToInt(run -> run.prompt().size()).sum();
        int sequences = golden.runs().size();
        int blocks = Math.ceilDiv(golden.servedLength(), BLOCK_SIZE);
        try (var weights = folder.weights(ModelFolder.Check.ALWAYS, LoadProgress.NONE);
                var kernels = open(new StepLimits(rowsMax, sequences, blocks), reference)) {
            var limits = new DecoderLimits(rowsMax, rowsMax, golden.servedLength());
            var decoder = Decoder.load(kernels, folder.config(), weights, limits);
            var kv = kernels.allocateKv(decoder.layout(BLOCK_SIZE, format), blocks * sequences);
            var choices = kernels.allocateChoices(rowsMax);
            var scores = kernels.allocateScores(rowsMax);
            if (scores == null && !reference) {
                throw new IllegalStateException("log-probabilities are not made on the device");
            }
            var sampler = new Sampler(folder.config().vocabSize());
            var batch = new Batch(rowsMax, sequences);
            Runnable forward = () -> {
                decoder.layers(batch, kv);
                decoder.logits(batch, 0, batch.logitRowCount);
                kernels.chooseLargest(choices, decoder.logitsMatrix(), batch.logitRowCount);
            };
            kernels.prepare(batch, forward, PreparationProgress.NONE);
            var fed = fed();
            for (int step = 0; step < golden.runs().getFirst().greedy().size(); step++) {
                batch.clear();
                for (int s = 0; s < sequences; s++) {
                    int prompt = golden.runs().get(s).prompt().size();
                    var table = new int[blocks];
                    for (int b = 0; b < blocks; b++) {
                        table[b] = b * sequences + s;
                    }
                    batch.add(
                            fed.get(s),
                            step == 0 ? 0 : prompt + step - 1,
                            prompt + step,
                            table,
                            step == 0 ? 0 : prompt + step - 1);
                }
                kernels.compute(batch, forward);
                var chosen = choices.read(batch.logitRowCount);
                chosen.await();
                var scored = scores == null ? null : score(kernels, choices, decoder.logitsMatrix(), batch, scores);
                for (int i = 0; i < batch.logitRowCount; i++) {
                    check(batch, i, decoder.logitsMatrix(), chosen.token(i), sampler, scored);
                }
            }
        }
    }

    /** Prompts, each followed by the reference's tokens. */
    private List<int[]> fed() {
        var fed = new ArrayList<int[]>();
        for (var run : golden.runs()) {
            var all = new ArrayList<>(run.prompt());
            all.addAll(run.greedy());
            fed.add(all.stream().mapToInt(Integer::intValue).toArray());
        }
        return fed;
    }

    /** Which token of the reference a row of logits is about: its run, and its place there. */
    private record Place(GoldenCase.Expected run, int next) {
        boolean inPrompt() {
            return next < run.prompt().size();
        }

        int generated() {
            return next - run.prompt().size();
        }

        int token() {
            return inPrompt() ? run.prompt().get(next) : run.greedy().get(generated());
        }

        double logprob() {
            return inPrompt()
                    ? run.promptLogprobs().get(next - 1)
                    : run.greedyLogprobs().get(generated());
        }
    }

    private Place place(Batch batch, int logitRow) {
        int row = batch.logitRows[logitRow];
        int sequence = 0;
        while (row >= batch.rowStart[sequence + 1]) {
            sequence++;
        }
        return new Place(golden.runs().get(sequence), batch.positions[row] + 1);
    }

    private Scores.Reading score(Kernels kernels, Choices choices, Matrix logits, Batch batch, Scores scores) {
        scores.clear();
        for (int i = 0; i < batch.logitRowCount; i++) {
            scores.add(i, place(batch, i).token(), TOP_COUNT);
        }
        var scored = kernels.score(choices, logits, scores);
        scored.await();
        return scored;
    }

    /** @param scored null where the host scores */
    private void check(
            Batch batch, int logitRow, Matrix logits, int chosen, Sampler sampler, Scores.@Nullable Reading scored) {
        var place = place(batch, logitRow);
        var values = new float[logits.columns()];
        logits.read(logitRow, values);
        var host = sampler.score(values, place.token(), TOP_COUNT);
        var given = scored == null ? host : ScoreList.token(scored, logitRow, TOP_COUNT, values.length);
        scoreErrors += same(host, given) ? 0 : 1;
        double error = Math.abs(given.logprob() - place.logprob());
        logprobError = Double.isNaN(error) ? Double.POSITIVE_INFINITY : Math.max(logprobError, error);
        logprobErrors += error;
        tokens++;
        int best = given.topIds()[0];
        choiceErrors += best == chosen ? 0 : 1;
        if (!place.inPrompt() && best != place.token()) {
            others++;
            worstLead = Math.max(worstLead, values[best] - (double) values[place.token()]);
        }
    }

    private static boolean same(ScoredToken host, ScoredToken given) {
        boolean same = host.token() == given.token()
                && host.rank() == given.rank()
                && Arrays.equals(host.topIds(), given.topIds())
                && Math.abs(host.logprob() - given.logprob()) <= SCORE_TOLERANCE;
        for (int i = 0; same && i < host.topIds().length; i++) {
            same = Math.abs(host.topLogprobs()[i] - given.topLogprobs()[i]) <= SCORE_TOLERANCE;
        }
        return same;
    }
}
