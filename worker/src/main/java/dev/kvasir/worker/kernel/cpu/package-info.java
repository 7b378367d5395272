/** CPU kernels: Vector API and oneDNN. */
@NullMarked
package dev.kvasir.worker.kernel.cpu;

import org.jspecify.annotations.NullMarked;
