package dev.kvasir.model.config;

/**
 * The part of a layer that moves information between tokens. Sealed so that each new kind (latent attention, recurrent
 * state) must be answered wherever one is used.
 */
public sealed interface Mixer permits Attention {}
