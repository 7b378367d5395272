package dev.kvasir.model.weights;

import java.lang.foreign.MemorySegment;
import java.security.MessageDigest;

/**
 * Digests weights: all bytes of small models, evenly strided samples of every tensor of large ones. A fingerprint keeps
 * workers with different weights from sharing KV blocks, by mistake and not by attack: retraining, merging or converting
 * changes samples everywhere, while reading tens of gigabytes at each start would cost minutes.
 */
record ContentDigest(boolean sampled) {
    static final long FULL_BYTES_MAX = 64L << 20;
    private static final long SAMPLE_BYTES = 4096;
    private static final int SAMPLES_PER_TENSOR = 64;
    private static final long CHUNK_BYTES = 1 << 24;

    static ContentDigest ofTotal(long bytes) {
        return new ContentDigest(bytes > FULL_BYTES_MAX);
    }

    void update(MessageDigest digest, MemorySegment data) {
        if (!sampled || data.byteSize() <= SAMPLE_BYTES * SAMPLES_PER_TENSOR) {
            for (long from = 0; from < data.byteSize(); from += CHUNK_BYTES) {
                update(digest, data, from, CHUNK_BYTES);
            }
            return;
        }
        long stride = (data.byteSize() - SAMPLE_BYTES) / (SAMPLES_PER_TENSOR - 1);
        for (int sample = 0; sample < SAMPLES_PER_TENSOR; sample++) {
            update(digest, data, sample * stride, SAMPLE_BYTES);
        }
    }

    private static void update(MessageDigest digest, MemorySegment data, long from, long bytes) {
        long length = Math.min(bytes, data.byteSize() - from);
        digest.update(data.asSlice(from, length).asByteBuffer());
    }
}
