package dev.kvasir.worker.device;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;

/** Arguments of a kernel, in order; their types must be those of the kernel's parameters. */
public final class Arguments {
    private final List<TensorMap> maps;
    private long[] bits = new long[24];
    private int count;

    public Arguments() {
        this(List.of());
    }

    private Arguments(List<TensorMap> maps) {
        this.maps = maps;
    }

    /** Of a kernel whose first parameters are tensor maps. */
    public static Arguments of(TensorMap... maps) {
        return new Arguments(List.of(maps));
    }

    /** A pointer. */
    public Arguments pointer(long address) {
        return int64(address);
    }

    public Arguments int32(int value) {
        return int64(Integer.toUnsignedLong(value));
    }

    public Arguments int64(long value) {
        if (count == bits.length) {
            bits = Arrays.copyOf(bits, 2 * count);
        }
        bits[count++] = value;
        return this;
    }

    public Arguments float32(float value) {
        return int32(Float.floatToRawIntBits(value));
    }

    /** Pointers to the values; of narrow ones the lower half is read. */
    MemorySegment pointers(SegmentAllocator allocator) {
        var values = allocator.allocateFrom(ValueLayout.JAVA_LONG, Arrays.copyOf(bits, count));
        var pointers = allocator.allocate(ValueLayout.ADDRESS, maps.size() + count);
        for (int i = 0; i < maps.size(); i++) {
            pointers.setAtIndex(ValueLayout.ADDRESS, i, maps.get(i).words());
        }
        for (int i = 0; i < count; i++) {
            pointers.setAtIndex(ValueLayout.JAVA_LONG, maps.size() + i, values.address() + 8L * i);
        }
        return pointers;
    }
}
