package dev.kvasir.kvstore.tier;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * Native memory as the system gives it. An arena's own writes zeros into all of it at once, which takes whoever asks for 16 MiB,
 * an engine between two steps for one, some ten milliseconds; this is touched as it is filled.
 */
final class UntouchedMemory {
    private static final MethodHandle ALLOCATE = function(
            "aligned_alloc", FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));
    private static final MethodHandle FREE = function("free", FunctionDescriptor.ofVoid(ValueLayout.ADDRESS));

    private UntouchedMemory() {}

    private static MethodHandle function(String name, FunctionDescriptor type) {
        var linker = Linker.nativeLinker();
        return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), type);
    }

    /**
     * Memory with whatever was in it, which goes back when the arena is closed.
     *
     * @param bytes above 0, a multiple of {@code alignment}
     * @param alignment a power of two, at least 8
     * @throws OutOfMemoryError if the system gives none
     */
    static MemorySegment allocate(Arena arena, long bytes, long alignment) {
        try {
            var memory = (MemorySegment) ALLOCATE.invokeExact(alignment, bytes);
            if (memory.equals(MemorySegment.NULL)) {
                throw new OutOfMemoryError("Cannot allocate %d bytes".formatted(bytes));
            }
            return memory.reinterpret(bytes, arena, UntouchedMemory::free);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException("aligned_alloc cannot be called", e);
        }
    }

    private static void free(MemorySegment memory) {
        try {
            FREE.invokeExact(memory);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException("free cannot be called", e);
        }
    }
}
