package dev.kvasir.worker.device;

import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/** Turns the driver's return codes into exceptions. */
final class Cuda {
    private Cuda() {}

    /** @param call what was called, and on what */
    static void check(int code, String call) {
        if (code != CUresult.CUDA_SUCCESS) {
            throw failure(code, call);
        }
    }

    static CudaFailure failure(int code, String call) {
        var name = new String[1];
        var meaning = new String[1];
        JCudaDriver.cuGetErrorName(code, name);
        JCudaDriver.cuGetErrorString(code, meaning);
        return new CudaFailure(
                call, code, name[0] == null ? "unknown error" : name[0], meaning[0] == null ? "" : meaning[0]);
    }
}
