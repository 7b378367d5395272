package dev.kvasir.kvstore.tier;

import java.lang.foreign.MemorySegment;
import java.util.zip.CRC32C;

/** CRC-32C of a block's bytes: processors have an instruction for it. Against damage, not against forgery. */
public final class Checksum {
    private Checksum() {}

    public static int of(MemorySegment bytes) {
        var crc = new CRC32C();
        crc.update(bytes.asByteBuffer());
        return (int) crc.getValue();
    }
}
