package dev.kvasir.worker.forward;

import dev.kvasir.model.config.WeightRole;
import dev.kvasir.worker.kernel.Weight;
import org.jspecify.annotations.Nullable;

/** Where a decoder's weights come from, ready to compute. Each is asked for once; null where the configuration has none. */
public interface DecoderWeights {
    /** A weight outside layers. */
    @Nullable
    Weight find(WeightRole role);

    /** A weight of a layer. */
    @Nullable
    Weight find(int layer, WeightRole role);
}
