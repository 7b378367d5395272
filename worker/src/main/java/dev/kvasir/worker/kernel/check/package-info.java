/** Checks of kernels against the reference, for tests and for machines that nobody has tested on. */
@NullMarked
package dev.kvasir.worker.kernel.check;

import org.jspecify.annotations.NullMarked;
