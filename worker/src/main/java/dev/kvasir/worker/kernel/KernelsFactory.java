package dev.kvasir.worker.kernel;

import dev.kvasir.model.weights.DType;

/** Opens what computes; called once per worker, on the thread that loads the model. */
@FunctionalInterface
public interface KernelsFactory {
    /**
     * Opens kernels.
     *
     * @param type of the model's weights, which a device may choose for activations too
     */
    Kernels open(DType type, StepLimits limits);

    /** Number of ranks that {@link #openRanks} opens. */
    default int rankCount() {
        return 1;
    }

    /** Opens kernels of all ranks. */
    default Ranks openRanks(DType type, StepLimits limits) {
        return Ranks.one(open(type, limits));
    }

    /** Whether weights, activations and KV blocks lie in a device's memory, of which the kernels know the size. */
    default boolean onDevice() {
        return false;
    }
}
