package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.kernel.AttentionShape;
import dev.kvasir.worker.kernel.KvFormat;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One kernel of decode attention, as it was compiled.
 *
 * @param scaled whether keys and values are of {@link KvFormat#FP8}, or of the queries' type
 * @param columns query heads of a KV head that are computed together
 * @param warps that compute
 * @param stages tiles that a warp has under way
 */
record DecodeKernel(boolean scaled, int headSize, int columns, int warps, int stages) {
    static final int TILE_TOKENS = 16;
    /** Floats of a partial result beside its head: maximum, sum, and what keeps it aligned. */
    static final int PARTIAL_EXTRA = 4;

    private static final int MERGING_WARPS = 4;
    private static final int HOPPER = 90;

    /** Kernels for Hopper and later. */
    static final List<DecodeKernel> NEWER = List.of(
            new DecodeKernel(false, 64, 8, 8, 4),
            new DecodeKernel(false, 64, 16, 8, 4),
            new DecodeKernel(false, 80, 8, 8, 4),
            new DecodeKernel(false, 96, 8, 8, 3),
            new DecodeKernel(false, 128, 4, 8, 3),
            new DecodeKernel(false, 128, 8, 6, 4),
            new DecodeKernel(false, 128, 16, 4, 4),
            new DecodeKernel(false, 256, 4, 4, 3),
            new DecodeKernel(false, 256, 8, 3, 4),
            new DecodeKernel(true, 64, 8, 8, 4),
            new DecodeKernel(true, 64, 16, 8, 4),
            new DecodeKernel(true, 80, 8, 8, 4),
            new DecodeKernel(true, 96, 8, 8, 4),
            new DecodeKernel(true, 128, 4, 8, 5),
            new DecodeKernel(true, 128, 8, 8, 4),
            new DecodeKernel(true, 128, 16, 4, 8),
            new DecodeKernel(true, 256, 4, 4, 4),
            new DecodeKernel(true, 256, 8, 4, 4));

    /** Kernels for what was before. */
    static final List<DecodeKernel> OLDER = List.of(
            new DecodeKernel(false, 64, 8, 4, 4),
            new DecodeKernel(false, 64, 16, 4, 4),
            new DecodeKernel(false, 80, 8, 4, 3),
            new DecodeKernel(false, 96, 8, 4, 2),
            new DecodeKernel(false, 128, 4, 4, 2),
            new DecodeKernel(false, 128, 8, 4, 2),
            new DecodeKernel(false, 128, 16, 3, 2),
            new DecodeKernel(false, 256, 4, 2, 2),
            new DecodeKernel(false, 256, 8, 2, 2),
            new DecodeKernel(true, 64, 8, 4, 4),
            new DecodeKernel(true, 64, 16, 4, 4),
            new DecodeKernel(true, 80, 8, 4, 4),
            new DecodeKernel(true, 96, 8, 4, 4),
            new DecodeKernel(true, 128, 4, 4, 4),
            new DecodeKernel(true, 128, 8, 4, 4),
            new DecodeKernel(true, 128, 16, 3, 4),
            new DecodeKernel(true, 256, 4, 2, 4),
            new DecodeKernel(true, 256, 8, 2, 4));

    /** The kernel of the fewest columns that take a whole group, or of the most. */
    static @Nullable DecodeKernel find(AttentionShape shape, KvFormat format, int computeCapability) {
        int group = shape.headCount() / shape.kvHeadCount();
        DecodeKernel found = null;
        for (var candidate : computeCapability >= HOPPER ? NEWER : OLDER) {
            if (candidate.headSize == shape.headSize()
                    && candidate.scaled == format.scaled()
                    && (found == null || found.columns < group)) {
                found = candidate;
            }
        }
        return found;
    }

    String source() {
        return scaled ? "AttendDecodeFp8" : "AttendDecode";
    }

    /** @param type of queries */
    String name(DType type) {
        return "attend_decode_%s%s_%d_%d"
                .formatted(scaled ? "fp8_" : "", KernelLibrary.suffix(type), headSize, columns);
    }

    int threads() {
        return (warps + MERGING_WARPS) * 32;
    }

    /** Of a query head's group. */
    int chunks(AttentionShape shape) {
        return Math.ceilDiv(shape.headCount() / shape.kvHeadCount(), columns);
    }

    int sharedBytes(int sequencesMax) {
        int row = rowBytes(headSize * (scaled ? 1 : 2));
        int stage = 2 * TILE_TOKENS * row + (scaled ? TILE_TOKENS * Integer.BYTES : 0);
        return warps * stages * stage + warps * columns * ((headSize + PARTIAL_EXTRA) * 4 + 8) + (sequencesMax + 1) * 4;
    }

    /** Bytes of a row in shared memory: an odd number of 16-byte chunks where they are not swizzled. */
    static int rowBytes(int storedBytes) {
        int chunks = storedBytes / 16;
        return 16 * (chunks % 8 == 0 ? chunks : chunks | 1);
    }
}
