package dev.kvasir.kvstore.tier;

/**
 * What the bytes of a block are. Blocks of different formats are never taken for each other.
 *
 * @param fingerprint digest of the model's weights and configuration, in hexadecimal, and name of what computes
 * @param kvDtype element type of keys and values
 * @param blockSize token slots
 * @param layoutVersion of the order of the bytes
 * @param blockBytes of one block
 */
public record BlockFormat(String fingerprint, String kvDtype, int blockSize, int layoutVersion, int blockBytes) {
    /** Largest block that is kept or sent. */
    public static final int BLOCK_BYTES_MAX = 1 << 28;

    public BlockFormat {
        if (blockBytes < 1 || blockBytes > BLOCK_BYTES_MAX) {
            throw new IllegalArgumentException(
                    "a block has %d bytes but must have 1..%d".formatted(blockBytes, BLOCK_BYTES_MAX));
        }
        if (blockSize < 1 || fingerprint.length() > 256 || kvDtype.length() > 16) {
            throw new IllegalArgumentException(
                    "no such block format: block size %d, fingerprint of %d characters, dtype %s"
                            .formatted(blockSize, fingerprint.length(), kvDtype));
        }
    }
}
