package dev.kvasir.worker.forward;

import dev.kvasir.model.ModelFolder;
import dev.kvasir.model.weights.DType;
import dev.kvasir.model.weights.LoadProgress;
import dev.kvasir.worker.device.GpuSearch;
import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.KvFormat;
import dev.kvasir.worker.kernel.Matrix;
import dev.kvasir.worker.kernel.PreparationProgress;
import dev.kvasir.worker.kernel.ReferenceKernels;
import dev.kvasir.worker.kernel.StepLimits;
import dev.kvasir.worker.kernel.cuda.CudaKernels;
import dev.kvasir.worker.kernel.cuda.CudaOptions;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * A program for a machine with a GPU: every golden model on the GPU, in f32 and in bf16 (weights, activations, keys and
 * values), recorded steps included. Each token of the reference is fed whatever was chosen, so that one difference does not
 * hide what follows; where another token was chosen, by how much it led is printed.
 */
final class GpuGoldenRun {
    private static final int BLOCK_SIZE = 16;

    private final GoldenCase golden;
    private final DType type;
    private final KvFormat format;
    private double logprobError;
    private double logprobErrors;
    private double worstLead;
    private int tokens;
    private int others;
    private int choiceErrors;

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
                && mean() <= Math.min(0.25, tolerance());
        System.out.println(String.format(
                Locale.ROOT,
                "%-24s %-5s %-4s %7d %14.2e %10.2e %13d %11.2e %s%s",
                golden.name(),
                type,
                format,
                tokens,
                logprobError,
                mean(),
                others,
                worstLead,
                good ? "" : "BAD",
                choiceErrors == 0 ? "" : " choices differ from logits " + choiceErrors + " times"));
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
                for (int i = 0; i < batch.logitRowCount; i++) {
                    check(batch, i, decoder.logitsMatrix(), chosen.token(i));
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

    private void check(Batch batch, int logitRow, Matrix logits, int chosen) {
        int row = batch.logitRows[logitRow];
        int sequence = 0;
        while (row >= batch.rowStart[sequence + 1]) {
            sequence++;
        }
        var run = golden.runs().get(sequence);
        int next = batch.positions[row] + 1;
        int prompt = run.prompt().size();
        int token = next < prompt ? run.prompt().get(next) : run.greedy().get(next - prompt);
        double expected = next < prompt
                ? run.promptLogprobs().get(next - 1)
                : run.greedyLogprobs().get(next - prompt);
        var values = new float[logits.columns()];
        logits.read(logitRow, values);
        int best = 0;
        double sum = 0;
        for (int id = 0; id < values.length; id++) {
            best = values[id] > values[best] ? id : best;
        }
        for (float value : values) {
            sum += Math.exp(value - values[best]);
        }
        double error = Math.abs(values[token] - values[best] - Math.log(sum) - expected);
        logprobError = Double.isNaN(error) ? Double.POSITIVE_INFINITY : Math.max(logprobError, error);
        logprobErrors += error;
        tokens++;
        choiceErrors += best == chosen ? 0 : 1;
        if (next >= prompt && best != token) {
            others++;
            worstLead = Math.max(worstLead, values[best] - (double) values[token]);
        }
    }
}
