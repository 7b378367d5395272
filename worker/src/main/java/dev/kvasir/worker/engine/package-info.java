/** The step loop: plan, run, apply. */
@NullMarked
package dev.kvasir.worker.engine;

import org.jspecify.annotations.NullMarked;
