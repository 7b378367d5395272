package dev.kvasir.worker.device;

import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUfunction;
import jcuda.driver.CUstream;

/** Doors between JCuda's pointer objects and plain addresses. */
final class Handles {
    private static final CUdeviceptr NULL = new CUdeviceptr();

    private Handles() {}

    /** Receives an address on the device. */
    static final class Device extends CUdeviceptr {
        long address() {
            return getNativePointer() + getByteOffset();
        }
    }

    /** An address on the host, received or given. */
    static final class Host extends Pointer {
        Host() {}

        Host(long address) {
            super(address);
        }

        long address() {
            return getNativePointer() + getByteOffset();
        }
    }

    static final class StreamHandle extends CUstream {
        long address() {
            return getNativePointer();
        }
    }

    static final class FunctionHandle extends CUfunction {
        long address() {
            return getNativePointer();
        }
    }

    static CUdeviceptr device(long address) {
        return NULL.withByteOffset(address);
    }
}
