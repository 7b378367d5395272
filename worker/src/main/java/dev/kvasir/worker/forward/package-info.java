/** Forward passes, written once against the kernel interface. */
@NullMarked
package dev.kvasir.worker.forward;

import org.jspecify.annotations.NullMarked;
