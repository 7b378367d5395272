/** Looks over a machine: what is there, whether its kernels compute what they should, and how fast. */
@NullMarked
package dev.kvasir.worker.doctor;

import org.jspecify.annotations.NullMarked;
