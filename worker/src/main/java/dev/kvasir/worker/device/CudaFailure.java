package dev.kvasir.worker.device;

/** A call of CUDA or one of its libraries failed. Names the call, the error and its number. */
public final class CudaFailure extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private static final int OUT_OF_MEMORY = 2;

    private final int code;

    CudaFailure(String call, int code, String name, String meaning) {
        super("%s: %s (%d)%s".formatted(call, name, code, meaning.isEmpty() ? "" : ", " + meaning));
        this.code = code;
    }

    /** The driver's error number. */
    public int code() {
        return code;
    }

    /** More memory was asked for than the device has left; the context is still sound. */
    public boolean isOutOfMemory() {
        return code == OUT_OF_MEMORY;
    }
}
