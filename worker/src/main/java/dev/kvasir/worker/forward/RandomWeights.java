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
 * norms 1, biases 0, matrices uniform with deviation 1/sqrt(inputs).
 */
public final class RandomWeights implements DecoderWeights {
    private final Kernels kernels;
    private final ModelConfig config;
    private final DType type;
    private final long seed;
    private int count;

    public RandomWeights(Kernels kernels, ModelConfig config, DType type, long seed) {
        this.kernels = kernels;
        this.config = config;
        this.type = type;
        this.seed = seed;
    }

    @Override
    public @Nullable Weight find(WeightRole role) {
        return make(WeightShapes.of(config, role), role);
    }

    @Override
    public @Nullable Weight find(int layer, WeightRole role) {
        return make(WeightShapes.of(config, config.layers().get(layer), role), role);
    }

    private @Nullable Weight make(List<Integer> shape, WeightRole role) {
        if (shape.isEmpty()) {
            return null;
        }
        if (shape.size() == 1) {
            float value = isNorm(role) ? 1 - config.finalNorm().weightOffset() : 0;
            return kernels.random(type, 1, shape.getFirst(), value, 0, 0);
        }
        int inputs = shape.getLast();
        return kernels.random(type, shape.getFirst(), inputs, 0, (float) Math.sqrt(3.0 / inputs), seed + ++count);
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
