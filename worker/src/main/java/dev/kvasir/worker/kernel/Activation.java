package dev.kvasir.worker.kernel;

/** Element-wise functions of feed-forward layers. */
public enum Activation {
    /** x * sigmoid(x). */
    SILU,
    /** x * Phi(x), with the error function. */
    GELU,
    /** The tanh approximation of GELU. */
    GELU_TANH,
    RELU
}
