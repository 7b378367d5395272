package dev.kvasir.worker.kernel;

final class ReferenceKernelsTest extends HandCalculatedKernels {
    @Override
    Kernels create() {
        return new ReferenceKernels();
    }
}
