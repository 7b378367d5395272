package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.kvstore.transfer.NearMemory;
import dev.kvasir.worker.device.Arguments;
import dev.kvasir.worker.device.DeviceKernel;
import dev.kvasir.worker.device.Event;
import dev.kvasir.worker.device.Gpu;
import dev.kvasir.worker.device.Grid;
import dev.kvasir.worker.device.PinnedMemory;
import dev.kvasir.worker.device.SharedMemory;
import dev.kvasir.worker.device.SideUse;
import dev.kvasir.worker.kernel.NearKv;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.LinkedHashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Copies blocks between the pools of two processes by a kernel that reads the other's memory, on a stream of its own, and has the
 * device make checksums. It takes few thread blocks, so that steps keep nearly all of the GPU. Numbers of blocks and checksums
 * lie in pinned memory, which kernels read and write in place.
 */
final class CudaNear implements NearKv, AutoCloseable {
    private static final int BLOCKS_MAX = 4096;
    private static final int THREADS = 512;
    private static final int COPY_BLOCKS = 64;
    /** Thread blocks that keep a GPU busy. */
    private static final int FILLING_BLOCKS = 512;

    private static final int VECTOR_BYTES = 16;

    private final Gpu gpu;
    private final SideUse side;
    private final CudaKvStorage kv;
    private final NearMemory memory;
    private final DeviceKernel checksum;
    private final DeviceKernel pull;
    private final PinnedMemory own;
    private final PinnedMemory theirs;
    private final PinnedMemory sums;
    private final Event fence;
    private final Set<CudaWindow> windows = new LinkedHashSet<>();
    private boolean closed;

    /** By the thread that uses the GPU. */
    CudaNear(Gpu gpu, KernelLibrary library, CudaKvStorage kv) {
        this.gpu = gpu;
        this.kv = kv;
        var layout = kv.layout();
        if (layout.bytesPerLayerBlock() % VECTOR_BYTES != 0) {
            throw new IllegalArgumentException("a layer's part of a block has %d bytes, no multiple of %d"
                    .formatted(layout.bytesPerLayerBlock(), VECTOR_BYTES));
        }
        gpu.enter();
        side = gpu.sideUse();
        checksum = library.kernel("KvExchange", "checksum_blocks");
        pull = library.kernel("KvExchange", "pull_blocks");
        own = gpu.pinned((long) BLOCKS_MAX * Integer.BYTES);
        theirs = gpu.pinned((long) BLOCKS_MAX * Integer.BYTES);
        sums = gpu.pinned((long) BLOCKS_MAX * Long.BYTES);
        fence = gpu.event();
        fence.record(gpu.stream());
        var exported = side.sharedMemory().export(kv.address());
        memory = new NearMemory(
                exported.handle(),
                exported.offset(),
                kv.layerBytes(),
                layout.bytesPerLayerBlock(),
                layout.layerCount(),
                kv.blockCount());
        gpu.own(this);
    }

    @Override
    public NearMemory memory() {
        return memory;
    }

    @Override
    public void fence() {
        gpu.enter();
        fence.record(gpu.stream());
    }

    @Override
    public synchronized long[] checksums(int[] blocks) {
        enter();
        return inParts(blocks.length, (from, count) -> {
            put(own, blocks, from, count, kv.blockCount());
            return issueChecksums(count);
        });
    }

    private interface Part {
        long[] run(int from, int count);
    }

    /** As many at a time as pinned memory has room for. */
    private long[] inParts(int all, Part part) {
        var results = new long[all];
        for (int from = 0; from < all; from += BLOCKS_MAX) {
            int count = Math.min(BLOCKS_MAX, all - from);
            System.arraycopy(part.run(from, count), 0, results, from, count);
        }
        return results;
    }

    private long[] issueChecksums(int count) {
        // A few blocks alone would leave most of the GPU idle.
        int parts = Math.clamp(FILLING_BLOCKS / count, 1, memory.layers());
        checksum.launch(
                side.stream(),
                Grid.of(count, parts, THREADS),
                new Arguments()
                        .pointer(kv.address())
                        .int64(kv.layerBytes())
                        .int64(memory.pieceBytes())
                        .int32(memory.layers())
                        .pointer(own.address())
                        .pointer(sums.address()));
        side.stream().synchronize();
        var results = new long[count];
        for (int i = 0; i < count * parts; i++) {
            results[i % count] += sums.data().getAtIndex(ValueLayout.JAVA_LONG, i);
        }
        return results;
    }

    private static void put(PinnedMemory to, int[] blocks, int from, int count, int blockCount) {
        for (int i = from; i < from + count; i++) {
            if (blocks[i] < 0 || blocks[i] >= blockCount) {
                throw new IllegalArgumentException("block %d of %d".formatted(blocks[i], blockCount));
            }
        }
        MemorySegment.copy(blocks, from, to.data(), ValueLayout.JAVA_INT, 0, count);
    }

    private void enter() {
        if (closed) {
            throw new IllegalStateException("the device is closed");
        }
        side.enter();
    }

    @Override
    public synchronized Window open(NearMemory of) {
        if (of.pieceBytes() != memory.pieceBytes() || of.layers() != memory.layers()) {
            throw new IllegalArgumentException("its blocks have %d layers of %d bytes, these have %d of %d"
                    .formatted(of.layers(), of.pieceBytes(), memory.layers(), memory.pieceBytes()));
        }
        enter();
        var opened = side.sharedMemory().open(of.handle());
        var window = new CudaWindow(of, opened);
        windows.add(window);
        if (opened.byteSize() - of.offset() < of.byteSize() || of.offset() % VECTOR_BYTES != 0) {
            window.close();
            throw new IllegalArgumentException("a pool of %d bytes does not lie at byte %d of %d"
                    .formatted(of.byteSize(), of.offset(), opened.byteSize()));
        }
        return window;
    }

    private final class CudaWindow implements Window {
        private final NearMemory of;
        private SharedMemory.@Nullable Opened opened;

        CudaWindow(NearMemory of, SharedMemory.Opened opened) {
            this.of = of;
            this.opened = opened;
        }

        @Override
        public long[] pull(int[] from, int[] to) {
            synchronized (CudaNear.this) {
                var from0 = opened;
                if (from0 == null || from.length != to.length) {
                    throw new IllegalStateException(
                            "%d blocks to %d of a window that is closed or not".formatted(from.length, to.length));
                }
                enter();
                side.stream().waitFor(fence);
                return inParts(from.length, (first, count) -> {
                    put(theirs, from, first, count, of.blocks());
                    put(own, to, first, count, kv.blockCount());
                    issuePull(from0.address() + of.offset(), count);
                    return issueChecksums(count);
                });
            }
        }

        private void issuePull(long address, int count) {
            pull.launch(
                    side.stream(),
                    Grid.of(COPY_BLOCKS, THREADS),
                    new Arguments()
                            .pointer(kv.address())
                            .int64(kv.layerBytes())
                            .pointer(address)
                            .int64(of.layerBytes())
                            .int64(of.pieceBytes())
                            .int32(of.layers())
                            .pointer(own.address())
                            .pointer(theirs.address())
                            .int32(count));
        }

        @Override
        public void close() {
            synchronized (CudaNear.this) {
                var last = opened;
                if (last != null && !closed) {
                    opened = null;
                    windows.remove(this);
                    side.enter();
                    last.close();
                }
            }
        }
    }

    /** By the thread that closes the GPU, whose context is current. */
    @Override
    public synchronized void close() {
        for (var window : Set.copyOf(windows)) {
            window.close();
        }
        closed = true;
    }
}
