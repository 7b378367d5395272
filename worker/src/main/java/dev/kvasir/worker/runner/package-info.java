/** Turns a step plan into a batch, a forward pass and sampled tokens. */
@NullMarked
package dev.kvasir.worker.runner;

import org.jspecify.annotations.NullMarked;
