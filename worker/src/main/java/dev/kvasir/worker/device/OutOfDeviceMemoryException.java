package dev.kvasir.worker.device;

/** What was to be put into a device's memory does not fit. */
public final class OutOfDeviceMemoryException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    public OutOfDeviceMemoryException(long neededBytes, long freeBytes, long totalBytes) {
        super("%d MiB of GPU memory are needed, %d MiB of the %d MiB that this worker may use are left"
                .formatted(Math.ceilDiv(neededBytes, 1L << 20), freeBytes >> 20, totalBytes >> 20));
    }
}
