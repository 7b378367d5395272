package dev.kvasir.kvstore.transfer;

/**
 * Where a pool of blocks lies in the memory of a device, for others of the same host. A piece is what a block has of one layer.
 *
 * @param handle by which the device's driver finds the memory
 * @param offset of the first piece in it
 * @param layerBytes from a block's piece to that of the next layer
 * @param pieceBytes of a piece; those of a layer's blocks follow each other
 */
@SuppressWarnings("ArrayRecordComponent") // A few bytes that nobody compares.
public record NearMemory(byte[] handle, long offset, long layerBytes, long pieceBytes, int layers, int blocks) {
    /** Longest handle. */
    public static final int HANDLE_MAX = 256;

    public NearMemory {
        if (handle.length < 1 || handle.length > HANDLE_MAX) {
            throw new IllegalArgumentException(
                    "a handle has %d bytes but must have 1..%d".formatted(handle.length, HANDLE_MAX));
        }
        if (offset < 0 || pieceBytes < 1 || layers < 1 || blocks < 1 || layerBytes / pieceBytes < blocks) {
            throw new IllegalArgumentException(
                    "no such pool: %d blocks of %d layers, pieces of %d bytes, layers %d bytes apart, from byte %d"
                            .formatted(blocks, layers, pieceBytes, layerBytes, offset));
        }
        handle = handle.clone();
    }

    /** Bytes from the first piece to the end of the last. */
    public long byteSize() {
        return Math.addExact(Math.multiplyExact(layerBytes, (long) layers - 1), pieceBytes * blocks);
    }
}
