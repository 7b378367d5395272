package dev.kvasir.model.config;

/**
 * down(activation(gate(x)) * up(x)) where gated, else down(activation(up(x))).
 *
 * @param bias whether all its projections have one
 */
public record Mlp(int innerSize, ActivationFunction activation, boolean gated, boolean bias) implements FeedForward {}
