package dev.kvasir.worker.kernel.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Native working memory of one owner that grows to the largest need seen. Contents do not survive growth. */
final class NativeScratch {
    private MemorySegment memory = MemorySegment.NULL;

    /** Address of at least so many bytes, at the start of a cache line. */
    long ensure(long bytes) {
        if (memory.byteSize() < bytes) {
            memory = Arena.ofAuto().allocate(Math.max(bytes, memory.byteSize() * 2), 64);
        }
        return memory.address();
    }
}
