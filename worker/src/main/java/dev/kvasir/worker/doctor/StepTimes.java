package dev.kvasir.worker.doctor;

import dev.kvasir.model.config.ModelConfig;
import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.device.Event;
import dev.kvasir.worker.device.GpuInfo;
import dev.kvasir.worker.device.GpuSearch;
import dev.kvasir.worker.forward.Decoder;
import dev.kvasir.worker.forward.DecoderLimits;
import dev.kvasir.worker.forward.RandomWeights;
import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.Choices;
import dev.kvasir.worker.kernel.KvStorage;
import dev.kvasir.worker.kernel.PreparationProgress;
import dev.kvasir.worker.kernel.StepLimits;
import dev.kvasir.worker.kernel.cuda.CudaKernels;
import dev.kvasir.worker.kernel.cuda.CudaOptions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Times whole steps of a model's geometry on a GPU, with random bf16 weights: decoding at several batch sizes, and a prompt.
 * Medians of the time from handing over a batch to having its tokens, and of the device's own time.
 */
public final class StepTimes implements AutoCloseable {
    private static final int BLOCK_SIZE = 16;

    private final CudaKernels kernels;
    private final Decoder decoder;
    private final KvStorage kv;
    private final Batch batch;
    private final Choices choices;
    private final Runnable forward = this::forward;
    private final Event start;
    private final Event end;
    private final int blocksPerSequence;

    /**
     * What is measured.
     *
     * @param batches numbers of sequences that decode together
     * @param context tokens of each of them
     * @param prompts lengths of prompts computed in one step
     */
    public record Plan(List<Integer> batches, int context, List<Integer> prompts, int repeats, boolean recorded) {
        public Plan {
            batches = List.copyOf(batches);
            prompts = List.copyOf(prompts);
        }

        int sequencesMax() {
            return batches.stream().max(Integer::compare).orElse(1);
        }

        int rowsMax() {
            return Math.max(
                    sequencesMax(), prompts.stream().max(Integer::compare).orElse(1));
        }

        int lengthMax() {
            return Math.max(context, prompts.stream().max(Integer::compare).orElse(1));
        }
    }

    /**
     * One kind of step.
     *
     * @param millis from handing over a batch to having its tokens
     * @param deviceMillis of the device alone
     */
    public record StepTime(
            String name,
            int sequences,
            int rows,
            int context,
            double millis,
            double deviceMillis,
            double tokensPerSecond) {}

    private StepTimes(GpuInfo gpu, ModelConfig config, Plan plan, CudaOptions options) {
        blocksPerSequence = Math.ceilDiv(plan.lengthMax(), BLOCK_SIZE);
        var limits = new StepLimits(plan.rowsMax(), plan.sequencesMax(), blocksPerSequence);
        kernels = CudaKernels.open(gpu, DType.BF16, limits, options);
        var decoderLimits = new DecoderLimits(plan.rowsMax(), plan.sequencesMax(), plan.lengthMax());
        decoder = Decoder.load(kernels, config, new RandomWeights(kernels, config, DType.BF16, 1), decoderLimits);
        int blocks = Math.max(blocksPerSequence, plan.sequencesMax() * Math.ceilDiv(plan.context(), BLOCK_SIZE));
        kv = kernels.allocateKv(decoder.layout(BLOCK_SIZE, DType.BF16), blocks);
        kernels.fill(kv, 2);
        batch = new Batch(plan.rowsMax(), plan.sequencesMax());
        choices = kernels.allocateChoices(plan.sequencesMax());
        start = kernels.gpu().event();
        end = kernels.gpu().event();
        if (plan.recorded()) {
            kernels.prepare(batch, forward, PreparationProgress.NONE);
        }
    }

    /**
     * Measures all steps of a plan.
     *
     * @throws IllegalStateException where there is no GPU, with the reason
     */
    public static List<StepTime> measure(ModelConfig config, Plan plan, CudaOptions options) {
        return switch (GpuSearch.first()) {
            case GpuSearch.None(var reason) -> throw new IllegalStateException("steps are timed on a GPU: " + reason);
            case GpuSearch.Found(var gpu) -> {
                try (var times = new StepTimes(gpu, config, plan, options)) {
                    yield times.all(plan);
                }
            }
        };
    }

    private List<StepTime> all(Plan plan) {
        var all = new ArrayList<StepTime>();
        for (int sequences : plan.batches()) {
            fill(sequences, plan.context() - 1, plan.context());
            all.add(time("decode", plan.repeats(), sequences));
        }
        for (int length : plan.prompts()) {
            fill(1, 0, length);
            all.add(time("prefill", Math.max(3, plan.repeats() / 4), length));
        }
        return all;
    }

    private void fill(int sequences, int from, int to) {
        batch.clear();
        int blocks = Math.ceilDiv(to, BLOCK_SIZE);
        for (int s = 0; s < sequences; s++) {
            var tokens = new int[to];
            for (int i = 0; i < to; i++) {
                tokens[i] = (s * 31 + i * 7) % decoder.config().vocabSize();
            }
            var table = new int[blocks];
            for (int b = 0; b < blocks; b++) {
                table[b] = (b * sequences + s) % kv.blockCount();
            }
            batch.add(tokens, from, to, table, to - 1);
        }
    }

    private StepTime time(String name, int repeats, int tokens) {
        var wall = new double[repeats];
        var device = new double[repeats];
        for (int i = -2; i < repeats; i++) {
            long began = System.nanoTime();
            start.record(kernels.gpu().stream());
            kernels.compute(batch, forward);
            var chosen = choices.read(batch.logitRowCount);
            end.record(kernels.gpu().stream());
            chosen.await();
            if (i >= 0) {
                wall[i] = (System.nanoTime() - began) / 1e6;
                device[i] = end.millisSince(start);
            }
        }
        Arrays.sort(wall);
        Arrays.sort(device);
        double millis = wall[repeats / 2];
        return new StepTime(
                name,
                batch.sequenceCount,
                batch.rowCount,
                batch.contextLength[0],
                millis,
                device[repeats / 2],
                1e3 * tokens / millis);
    }

    private void forward() {
        decoder.layers(batch, kv);
        int rows = decoder.logitRows(batch, 0);
        kernels.chooseLargest(choices, decoder.logits(batch, 0, rows), rows);
    }

    @Override
    public void close() {
        kernels.close();
    }
}
