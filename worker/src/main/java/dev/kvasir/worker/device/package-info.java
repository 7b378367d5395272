/** One GPU and the libraries beside it: the only place that talks to the CUDA driver. */
@NullMarked
package dev.kvasir.worker.device;

import org.jspecify.annotations.NullMarked;
