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

    /** Whether weights, activations and KV blocks lie in a device's memory, of which the kernels know the size. */
    default boolean onDevice() {
        return false;
    }
}
