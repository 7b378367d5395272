package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.worker.device.Gpu;
import dev.kvasir.worker.kernel.KvLayout;
import dev.kvasir.worker.kernel.KvStorage;
import dev.kvasir.worker.kernel.NearKv;
import java.lang.foreign.MemorySegment;

/** KV blocks in device memory; one more than there are, which rows that stand for nothing write to. */
record CudaKvStorage(
        KvLayout layout, int blockCount, long address, Gpu gpu, BlockStaging staging, KernelLibrary library)
        implements KvStorage {
    static long byteSize(KvLayout layout, int blockCount) {
        return layout.bytesPerBlock() * (blockCount + 1);
    }

    /** Makes it; to be called once. */
    @Override
    public NearKv near() {
        return new CudaNear(gpu, library, this);
    }

    @Override
    public long byteSize() {
        return byteSize(layout, blockCount);
    }

    /** Goes beside what is being computed, which does not write to blocks that are complete. */
    @Override
    public void readBlock(int block, MemorySegment to) {
        check(block, to);
        gpu.enter();
        staging.read(block(0, block), layerBytes(), layout.bytesPerLayerBlock(), layout.layerCount(), to);
    }

    /** Goes after what was issued before, which may still write to the block for its last owner. */
    @Override
    public void writeBlock(int block, MemorySegment from) {
        check(block, from);
        gpu.enter();
        staging.write(block(0, block), layerBytes(), layout.bytesPerLayerBlock(), layout.layerCount(), from);
    }

    private void check(int block, MemorySegment alone) {
        if (block < 0 || block >= blockCount || alone.byteSize() != layout.bytesPerBlock()) {
            throw new IllegalArgumentException("block %d of %d, %d bytes, does not fit a segment of %d bytes"
                    .formatted(block, blockCount, layout.bytesPerBlock(), alone.byteSize()));
        }
    }

    /** The block that belongs to no sequence. */
    int spareBlock() {
        return blockCount;
    }

    /** Elements from one block to the next. */
    long blockStride() {
        return layout.bytesPerLayerBlock() / layout.format().elementBytes();
    }

    /** Elements from a block's keys to its values. */
    long valueOffset() {
        return (long) layout.kvHeadCount() * layout.blockSize() * layout.keySize();
    }

    long layerBytes() {
        return layout.bytesPerLayerBlock() * (blockCount + 1);
    }

    /** First element of a layer. */
    long layer(int layer) {
        return address + layer * layerBytes();
    }

    /** First element of a block in a layer. */
    long block(int layer, int block) {
        return layer(layer) + block * layout.bytesPerLayerBlock();
    }
}
