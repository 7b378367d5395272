/** Weight files. */
@NullMarked
package dev.kvasir.model.weights;

import org.jspecify.annotations.NullMarked;
