package dev.kvasir.model.config;

/**
 * One decoder layer.
 *
 * @param norm kind of all norms around attention and feed-forward
 * @param parallel attention and feed-forward both read the layer's input (GPT-NeoX) rather than one after the other
 * @param residualScale multiplies what attention and feed-forward add to the residual stream (Granite)
 */
public record Layer(
        Mixer mixer,
        FeedForward feedForward,
        Norm norm,
        NormPlacement placement,
        boolean parallel,
        float residualScale) {}
