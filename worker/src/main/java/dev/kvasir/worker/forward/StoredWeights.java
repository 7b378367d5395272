package dev.kvasir.worker.forward;

import dev.kvasir.model.config.ModelConfig;
import dev.kvasir.model.config.WeightRole;
import dev.kvasir.model.weights.LoadProgress;
import dev.kvasir.model.weights.ModelWeights;
import dev.kvasir.model.weights.Tensor;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.Weight;
import java.util.ArrayList;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Weights as a checkpoint stores them, or the part of them that one rank holds. */
public final class StoredWeights implements DecoderWeights {
    private final Kernels kernels;
    private final ModelWeights weights;
    private final ModelConfig config;
    private final Shard shard;
    private final LoadProgress progress;
    private final long totalBytes;
    private long loadedBytes;

    /**
     * Weights of a rank.
     *
     * @param config of the whole model
     * @param progress told as tensors are loaded, of which a part counts as all
     */
    public StoredWeights(
            Kernels kernels, ModelWeights weights, ModelConfig config, Shard shard, LoadProgress progress) {
        this.kernels = kernels;
        this.weights = weights;
        this.config = config;
        this.shard = shard;
        this.progress = progress;
        this.totalBytes = weights.source().byteSize();
    }

    @Override
    public @Nullable Weight find(WeightRole role) {
        return load(weights.find(role), shard.slice(config, role));
    }

    @Override
    public @Nullable Weight find(int layer, WeightRole role) {
        return load(weights.find(layer, role), shard.slice(config.layers().get(layer), role));
    }

    private @Nullable Weight load(Optional<Tensor> stored, Slice slice) {
        if (stored.isEmpty()) {
            return null;
        }
        var tensor = stored.get();
        var weight = switch (slice) {
            case Slice.Whole() -> kernels.load(tensor);
            case Slice.Rows rows -> kernels.load(rows(tensor, rows));
            case Slice.Columns columns -> kernels.loadColumns(tensor, columns.from(), columns.count());
            case Slice.Elsewhere() -> null;
        };
        loadedBytes = Math.min(loadedBytes + tensor.data().byteSize(), totalBytes);
        progress.loaded(loadedBytes, totalBytes);
        return weight;
    }

    /** Stays where the tensor is. */
    private static Tensor rows(Tensor tensor, Slice.Rows rows) {
        var shape = new ArrayList<>(tensor.shape());
        long bytes = tensor.data().byteSize() / shape.getFirst();
        shape.set(0, rows.count());
        return new Tensor(
                tensor.name(), tensor.dtype(), shape, tensor.data().asSlice(rows.from() * bytes, rows.count() * bytes));
    }
}
