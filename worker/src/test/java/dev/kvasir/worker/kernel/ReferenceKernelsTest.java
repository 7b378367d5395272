package dev.kvasir.worker.kernel;

final class ReferenceKernelsTest extends HandCalculatedKernels {
    @Override
    protected Kernels create() {
        return new ReferenceKernels();
    }
}
