package dev.kvasir.model.config;

/** The part of a layer that works on each token alone. Sealed so that mixtures of experts must be answered where used. */
public sealed interface FeedForward permits Mlp {}
