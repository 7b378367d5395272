package dev.kvasir.worker.doctor;

import dev.kvasir.model.config.ModelConfig;
import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.device.Event;
import dev.kvasir.worker.device.Gpu;
import dev.kvasir.worker.device.GpuInfo;
import dev.kvasir.worker.device.GpuSearch;
import dev.kvasir.worker.forward.Decoder;
import dev.kvasir.worker.forward.DecoderLimits;
import dev.kvasir.worker.forward.RandomWeights;
import dev.kvasir.worker.forward.Shard;
import dev.kvasir.worker.kernel.Batch;
import dev.kvasir.worker.kernel.Choices;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.KvFormat;
import dev.kvasir.worker.kernel.KvStorage;
import dev.kvasir.worker.kernel.PreparationProgress;
import dev.kvasir.worker.kernel.RankTask;
import dev.kvasir.worker.kernel.Ranks;
import dev.kvasir.worker.kernel.StepLimits;
import dev.kvasir.worker.kernel.cuda.CudaKernels;
import dev.kvasir.worker.kernel.cuda.CudaOptions;
import dev.kvasir.worker.kernel.cuda.CudaRanks;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Times whole steps of a model's geometry on one GPU or several together, with random bf16 weights: decoding at several batch sizes, and a prompt.
 * Medians of the time from handing over a batch to having its tokens, and of the device's own time.
 */
public final class StepTimes implements AutoCloseable {
    private static final int BLOCK_SIZE = 16;

    private final Ranks ranks;
    private final Part[] parts;
    private final Gpu gpu;
    private final RankTask compute;
    private final Event start;
    private final Event end;
    private final int blocksPerSequence;

    /** What one GPU computes. */
    private record Part(Kernels kernels, Decoder decoder, KvStorage kv, Batch batch, Choices choices) {
        void forward() {
            decoder.layers(batch, kv);
            int rows = decoder.logitRows(batch, 0);
            decoder.choose(choices, batch, 0, rows);
        }
    }

    /**
     * What is measured.
     *
     * @param batches numbers of sequences that decode together
     * @param context tokens of each of them
     * @param prompts lengths of prompts computed in one step
     * @param known tokens before each of them that are in KV blocks already
     * @param formats how keys and values are stored, one after the other
     */
    public record Plan(
            List<Integer> batches,
            int context,
            List<Integer> prompts,
            int known,
            int repeats,
            boolean recorded,
            List<KvFormat> formats) {
        public Plan {
            formats = List.copyOf(formats);
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
            return Math.max(
                    context, known + prompts.stream().max(Integer::compare).orElse(1));
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
            KvFormat kv,
            int sequences,
            int rows,
            int context,
            double millis,
            double deviceMillis,
            double tokensPerSecond) {}

    private StepTimes(List<GpuInfo> gpus, ModelConfig config, Plan plan, KvFormat format, CudaOptions options) {
        blocksPerSequence = Math.ceilDiv(plan.lengthMax(), BLOCK_SIZE);
        var limits = new StepLimits(plan.rowsMax(), plan.sequencesMax(), blocksPerSequence);
        ranks = CudaRanks.open(gpus, DType.BF16, limits, options);
        parts = new Part[gpus.size()];
        ranks.each(rank -> parts[rank] = part(rank, config, plan, format));
        gpu = ((CudaKernels) ranks.kernels(0)).gpu();
        start = gpu.event();
        end = gpu.event();
        compute = rank -> parts[rank].kernels().compute(parts[rank].batch(), parts[rank]::forward);
        if (plan.recorded()) {
            ranks.each(rank -> {
                var part = parts[rank];
                part.kernels().prepare(part.batch(), part::forward, PreparationProgress.NONE);
            });
        }
    }

    private Part part(int rank, ModelConfig config, Plan plan, KvFormat format) {
        var kernels = (CudaKernels) ranks.kernels(rank);
        var shard = new Shard(rank, ranks.count());
        var decoder = Decoder.loadPart(
                ranks,
                shard,
                config,
                new RandomWeights(kernels, config, shard, DType.BF16, 1),
                new DecoderLimits(plan.rowsMax(), plan.sequencesMax(), plan.lengthMax()));
        int blocks = Math.max(blocksPerSequence, plan.sequencesMax() * Math.ceilDiv(plan.context(), BLOCK_SIZE));
        var kv = kernels.allocateKv(decoder.layout(BLOCK_SIZE, format), blocks);
        kernels.fill(kv, 2 + rank);
        var choices = kernels.allocateChoices(plan.sequencesMax());
        return new Part(kernels, decoder, kv, new Batch(plan.rowsMax(), plan.sequencesMax()), choices);
    }

    /**
     * Measures all steps of a plan, on one GPU or on several that compute the model together.
     *
     * @throws IllegalArgumentException where there are not so many GPUs, with the reason, or the model cannot be split so
     */
    public static List<StepTime> measure(ModelConfig config, Plan plan, int gpuCount, CudaOptions options) {
        var gpus = new ArrayList<GpuInfo>();
        while (gpus.size() < gpuCount) {
            switch (GpuSearch.at(gpus.size())) {
                case GpuSearch.None(var reason) ->
                    throw new IllegalArgumentException(
                            "steps are timed on %d GPU(s), found are %d: %s".formatted(gpuCount, gpus.size(), reason));
                case GpuSearch.Found(var gpu) -> gpus.add(gpu);
            }
        }
        Shard.requireDivisible(config, gpuCount);
        var all = new ArrayList<StepTime>();
        for (var format : plan.formats()) {
            try (var times = new StepTimes(gpus, config, plan, format, options)) {
                all.addAll(times.all(plan));
            }
        }
        return all;
    }

    private List<StepTime> all(Plan plan) {
        var all = new ArrayList<StepTime>();
        for (int sequences : plan.batches()) {
            fill(sequences, plan.context() - 1, plan.context());
            all.add(time("decode", plan.repeats(), sequences));
        }
        for (int length : plan.prompts()) {
            fill(1, plan.known(), plan.known() + length);
            all.add(time("prefill", Math.max(3, plan.repeats() / 4), length));
        }
        return all;
    }

    private void fill(int sequences, int from, int to) {
        var first = parts[0];
        var batch = first.batch();
        batch.clear();
        int blocks = Math.ceilDiv(to, BLOCK_SIZE);
        for (int s = 0; s < sequences; s++) {
            var tokens = new int[to];
            for (int i = 0; i < to; i++) {
                tokens[i] = (s * 31 + i * 7) % first.decoder().config().vocabSize();
            }
            var table = new int[blocks];
            for (int b = 0; b < blocks; b++) {
                table[b] = (b * sequences + s) % first.kv().blockCount();
            }
            batch.add(tokens, from, to, table, to - 1);
        }
        for (int rank = 1; rank < parts.length; rank++) {
            parts[rank].batch().copyFrom(batch);
        }
    }

    private StepTime time(String name, int repeats, int tokens) {
        var batch = parts[0].batch();
        var wall = new double[repeats];
        var device = new double[repeats];
        for (int i = -2; i < repeats; i++) {
            long began = System.nanoTime();
            start.record(gpu.stream());
            ranks.each(compute);
            var chosen = parts[0].choices().read(batch.logitRowCount);
            end.record(gpu.stream());
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
                parts[0].kv().layout().format(),
                batch.sequenceCount,
                batch.rowCount,
                batch.contextLength[0],
                millis,
                device[repeats / 2],
                1e3 * tokens / millis);
    }

    @Override
    public void close() {
        ranks.close();
    }
}
