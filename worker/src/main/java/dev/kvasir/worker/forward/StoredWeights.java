package dev.kvasir.worker.forward;

import dev.kvasir.model.config.WeightRole;
import dev.kvasir.model.weights.LoadProgress;
import dev.kvasir.model.weights.ModelWeights;
import dev.kvasir.model.weights.Tensor;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.Weight;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Weights as a checkpoint stores them. */
public final class StoredWeights implements DecoderWeights {
    private final Kernels kernels;
    private final ModelWeights weights;
    private final LoadProgress progress;
    private final long totalBytes;
    private long loadedBytes;

    /** @param progress told as tensors are loaded */
    public StoredWeights(Kernels kernels, ModelWeights weights, LoadProgress progress) {
        this.kernels = kernels;
        this.weights = weights;
        this.progress = progress;
        this.totalBytes = weights.source().byteSize();
    }

    @Override
    public @Nullable Weight find(WeightRole role) {
        return load(weights.find(role));
    }

    @Override
    public @Nullable Weight find(int layer, WeightRole role) {
        return load(weights.find(layer, role));
    }

    private @Nullable Weight load(Optional<Tensor> tensor) {
        if (tensor.isEmpty()) {
            return null;
        }
        var weight = kernels.load(tensor.get());
        loadedBytes = Math.min(loadedBytes + tensor.get().data().byteSize(), totalBytes);
        progress.loaded(loadedBytes, totalBytes);
        return weight;
    }
}
