package dev.kvasir.worker.forward;

import dev.kvasir.model.config.ModelConfig;
import dev.kvasir.model.config.WeightRole;
import dev.kvasir.model.config.WeightShapes;
import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.Weight;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Random weights of a model's geometry, made where they are computed with. Scaled so that activations stay of order one:
 * norms 1, biases 0, matrices uniform with deviation 1/sqrt(inputs). Of a model that is split, ranks have numbers of their own
 * for what they have parts of, and the same for what they all have.
 */
public final class RandomWeights implements DecoderWeights {
    private final Kernels kernels;
    private final ModelConfig config;
    private final DType type;
    private final Shard shard;
    private final long seed;
    private int count;

    /** @param config of the whole model */
    public RandomWeights(Kernels kernels, ModelConfig config, Shard shard, DType type, long seed) {
        this.kernels = kernels;
        this.config = config;
        this.shard = shard;
        this.type = type;
        this.seed = seed;
    }

    @Override
    public @Nullable Weight find(WeightRole role) {
        return make(WeightShapes.of(config, role), role, shard.slice(config, role));
    }

    @Override
    public @Nullable Weight find(int layer, WeightRole role) {
        var whole = config.layers().get(layer);
        return make(WeightShapes.of(config, whole, role), role, shard.slice(whole, role));
    }

    private @Nullable Weight make(List<Integer> shape, WeightRole role, Slice slice) {
        if (shape.isEmpty() || slice instanceof Slice.Elsewhere) {
            return null;
        }
        if (shape.size() == 1) {
            float value = isNorm(role) ? 1 - config.finalNorm().weightOffset() : 0;
            int length = slice instanceof Slice.Rows rows ? rows.count() : shape.getFirst();
            return kernels.random(type, 1, length, value, 0, 0);
        }
        long own = slice instanceof Slice.Whole ? 0 : (shard.rank() + 1L) << 32;
        return kernels.random(
                type,
                slice instanceof Slice.Rows rows ? rows.count() : shape.getFirst(),
                slice instanceof Slice.Columns columns ? columns.count() : shape.getLast(),
                0,
                (float) Math.sqrt(3.0 / shape.getLast()),
                seed + ++count + own);
    }

    private static boolean isNorm(WeightRole role) {
        return switch (role) {
            case FINAL_NORM,
                    ATTENTION_PRE_NORM,
                    ATTENTION_POST_NORM,
                    FEED_FORWARD_PRE_NORM,
                    FEED_FORWARD_POST_NORM,
                    QUERY_NORM,
                    KEY_NORM -> true;
            default -> false;
        };
    }
}
