package dev.kvasir.worker.device;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.List;

/**
 * What Hopper's tensor copies must know of a matrix of two-byte elements: where it lies, and that boxes of 64 columns are copied
 * from it, in the 128-byte swizzle, with zeros for what is outside. An argument of kernels.
 */
public final class TensorMap {
    private static final long BYTES = 128;
    private static final long ALIGNMENT = 64;
    private static final int TWO_BYTES = 1;
    private static final int BOX_COLUMNS = 64;
    private static final int GROUP = 8;
    private static final int NO_INTERLEAVING = 0;
    private static final int SWIZZLE_128 = 3;
    private static final int PROMOTION_256 = 3;
    private static final int ZEROS_OUTSIDE = 0;

    private final MemorySegment words;

    private TensorMap(MemorySegment words) {
        this.words = words;
    }

    MemorySegment words() {
        return words;
    }

    /**
     * A matrix in device memory.
     *
     * @param address a multiple of 16
     * @param stride elements from one row to the next, a multiple of 8
     * @param boxRows of a box, at most 256
     * @param interleaved boxes have eight rows of the matrix's first half, the eight of its second half, the next eight, and so
     *     on; half of the rows is then a multiple of 8
     */
    public record Source(long address, int rows, int columns, int stride, int boxRows, boolean interleaved) {
        private long[] sizes() {
            return interleaved ? new long[] {columns, GROUP, 2, rows / (2 * GROUP)} : new long[] {columns, rows};
        }

        /** Bytes from one to the next of each dimension but the first. */
        private long[] strides() {
            long row = (long) stride * Short.BYTES;
            return interleaved ? new long[] {row, row * (rows / 2), row * GROUP} : new long[] {row};
        }

        private int[] box() {
            return interleaved
                    ? new int[] {BOX_COLUMNS, GROUP, 2, boxRows / (2 * GROUP)}
                    : new int[] {BOX_COLUMNS, boxRows};
        }

        private int[] steps() {
            return interleaved ? new int[] {1, 1, 1, 1} : new int[] {1, 1};
        }
    }

    /** The driver's {@code cuTensorMapEncodeTiled}, which JCuda does not have. */
    public static final class Encoder {
        private final MethodHandle encode;

        /** The driver must be there, and of CUDA 12 or newer. */
        public Encoder() {
            try {
                encode = NativeLibrary.load(List.of(GpuSearch.DRIVER), "")
                        .function(
                                "cuTensorMapEncodeTiled",
                                FunctionDescriptor.of(
                                        JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS, ADDRESS, ADDRESS,
                                        ADDRESS, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
            } catch (IOException e) {
                throw new IllegalStateException("the driver was there a moment ago", e);
            }
        }

        public TensorMap encode(Source source) {
            var words = Arena.ofAuto().allocate(BYTES, ALIGNMENT);
            int code;
            try (var scratch = Arena.ofConfined()) {
                code = (int) encode.invokeExact(
                        words,
                        TWO_BYTES,
                        source.box().length,
                        source.address(),
                        scratch.allocateFrom(JAVA_LONG, source.sizes()),
                        scratch.allocateFrom(JAVA_LONG, source.strides()),
                        scratch.allocateFrom(JAVA_INT, source.box()),
                        scratch.allocateFrom(JAVA_INT, source.steps()),
                        NO_INTERLEAVING,
                        SWIZZLE_128,
                        PROMOTION_256,
                        ZEROS_OUTSIDE);
            } catch (Throwable e) {
                throw new IllegalStateException("cuTensorMapEncodeTiled cannot be called", e);
            }
            Cuda.check(code, "cuTensorMapEncodeTiled of " + source);
            return new TensorMap(words);
        }
    }
}
