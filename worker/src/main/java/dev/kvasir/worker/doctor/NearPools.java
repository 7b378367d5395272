package dev.kvasir.worker.doctor;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.device.Gpu;
import dev.kvasir.worker.device.GpuInfo;
import dev.kvasir.worker.kernel.KvChecksum;
import dev.kvasir.worker.kernel.KvFormat;
import dev.kvasir.worker.kernel.KvLayout;
import dev.kvasir.worker.kernel.KvStorage;
import dev.kvasir.worker.kernel.NearKv;
import dev.kvasir.worker.kernel.StepLimits;
import dev.kvasir.worker.kernel.cuda.CudaKernels;
import dev.kvasir.worker.kernel.cuda.CudaOptions;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** Pools of KV blocks of one process that another one reads, or that it reads into: the same layouts in both. */
final class NearPools implements AutoCloseable {
    /** Blocks as Llama-3.1-8B has them, which are timed; and some of odd sizes, with scales. */
    static final List<KvLayout> LAYOUTS =
            List.of(new KvLayout(32, 8, 128, 128, 16, KvFormat.BF16), new KvLayout(3, 2, 80, 80, 4, KvFormat.FP8));

    static final int BLOCKS = 256;
    /** With room for kernels' own needs. */
    private static final long BYTES = 2L << 30;

    /** One pool. */
    record Pool(KvStorage kv, NearKv near) {
        /** Of the first blocks, by the host. */
        long[] plainChecksums(int count) {
            var layout = kv.layout();
            try (var arena = Arena.ofConfined()) {
                var block = arena.allocate(layout.bytesPerBlock(), 64);
                var sums = new long[count];
                for (int i = 0; i < count; i++) {
                    kv.readBlock(i, block);
                    sums[i] = KvChecksum.of(block);
                }
                return sums;
            }
        }
    }

    private final CudaKernels kernels;
    private final List<Pool> pools = new ArrayList<>();

    NearPools(GpuInfo gpu, CudaOptions options, long seed) {
        var share = new CudaOptions(share(gpu), options.cache(), options.libraryPath());
        kernels = CudaKernels.open(gpu, DType.BF16, new StepLimits(16, 4, 16), share);
        for (var layout : LAYOUTS) {
            var kv = kernels.allocateKv(layout, BLOCKS);
            kernels.fill(kv, seed);
            kernels.gpu().stream().synchronize();
            pools.add(new Pool(kv, Objects.requireNonNull(kv.near())));
        }
    }

    /** Of the GPU's memory that is enough beside what is in use. */
    private static double share(GpuInfo info) {
        try (var gpu = Gpu.open(info)) {
            return Math.min(1, (double) (info.totalBytes() - gpu.freeBytes() + BYTES) / info.totalBytes());
        }
    }

    Pool get(int index) {
        return pools.get(index);
    }

    @Override
    public void close() {
        kernels.close();
    }
}
