package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.kernel.AttentionShape;
import dev.kvasir.worker.kernel.KvFormat;
import dev.kvasir.worker.kernel.KvLayout;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One kernel of prefill attention, as it was compiled.
 *
 * @param warpgroups whether it uses the products that Hopper alone has
 * @param scaled whether keys and values are of {@link KvFormat#FP8}, or of the queries' type
 */
record PrefillKernel(boolean warpgroups, boolean scaled, int headSize) {
    private static final Set<Integer> HEAD_SIZES = Set.of(64, 80, 96, 128, 256);
    private static final int HOPPER = 90;
    /** Fewest keys that a block computes by itself where they are split: less costs more in merging than it saves. */
    private static final int SPLIT_KEYS_MIN = 128;

    static @Nullable PrefillKernel find(AttentionShape shape, KvFormat format, int computeCapability) {
        if (!HEAD_SIZES.contains(shape.headSize())) {
            return null;
        }
        return new PrefillKernel(computeCapability == HOPPER, format.scaled(), shape.headSize());
    }

    String source() {
        return "AttendPrefill" + (warpgroups ? "Wgmma" : "") + (scaled ? "Fp8" : "");
    }

    /**
     * Name of the kernel.
     *
     * @param type of queries
     * @param split whether keys of a row tile are shared out
     */
    String name(DType type, boolean split) {
        return "attend_prefill_%s%s%s_%d%s"
                .formatted(
                        warpgroups ? "wgmma_" : "",
                        scaled ? "fp8_" : "",
                        KernelLibrary.suffix(type),
                        headSize,
                        split ? "_split" : "");
    }

    /** Rows of a block's tile. */
    int tileRows() {
        return warpgroups ? 128 : 64;
    }

    /** Keys of a tile. */
    private int tileKeys() {
        return (warpgroups ? 128 : 64) / (headSize > 128 ? 2 : 1);
    }

    /** Fewest tiles of keys in a part of them. */
    int splitTilesMin() {
        return SPLIT_KEYS_MIN / tileKeys();
    }

    /** Tiles of keys that a row tile of a sequence sees, at most. */
    int keyTilesMax(int context, int group, int window) {
        int seen = window == 0 ? context : Math.min(context, window + Math.ceilDiv(tileRows(), group));
        return Math.ceilDiv(seen, tileKeys()) + (window == 0 ? 0 : 1);
    }

    /** Bytes of a part's results: sums, maximum and sum of exponentials of each row. */
    long partBytes() {
        return 4L * tileRows() * (headSize + 2);
    }

    int threads() {
        return warpgroups ? 384 : 128;
    }

    int sharedBytes() {
        if (warpgroups) {
            int keys = tileKeys();
            int tiles = 1024 + (128 + 4 * keys) * Math.ceilDiv(headSize, 64) * 128;
            // Stored rows under way, and their scales.
            int stages = headSize > 128 ? 2 : 3;
            return tiles + (scaled ? stages * keys * (headSize + KvLayout.SCALE_BYTES) : 0);
        }
        int keys = tileKeys();
        int row = DecodeKernel.rowBytes(2 * headSize);
        return scaled ? (64 + 2 * keys) * row + 4 * keys * headSize : (64 + 4 * keys) * row;
    }
}
