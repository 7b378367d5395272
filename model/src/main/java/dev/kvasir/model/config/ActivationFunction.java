package dev.kvasir.model.config;

/** Element-wise functions of feed-forward layers. */
public enum ActivationFunction {
    /** x * sigmoid(x). */
    SILU,
    /** x * Phi(x), with the error function. */
    GELU,
    /** The tanh approximation of GELU. */
    GELU_TANH,
    RELU
}
