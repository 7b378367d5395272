/** Kernels on an NVIDIA GPU: each launcher has its {@code .cu} file of the same name among the resources. */
@NullMarked
package dev.kvasir.worker.kernel.cuda;

import org.jspecify.annotations.NullMarked;
