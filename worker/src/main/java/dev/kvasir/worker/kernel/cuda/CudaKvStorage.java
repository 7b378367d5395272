package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.worker.kernel.KvLayout;
import dev.kvasir.worker.kernel.KvStorage;

/** KV blocks in device memory; one more than there are, which rows that stand for nothing write to. */
record CudaKvStorage(KvLayout layout, int blockCount, long address) implements KvStorage {
    static long byteSize(KvLayout layout, int blockCount) {
        return layout.bytesPerBlock() * (blockCount + 1);
    }

    @Override
    public long byteSize() {
        return byteSize(layout, blockCount);
    }

    /** The block that belongs to no sequence. */
    int spareBlock() {
        return blockCount;
    }

    /** Elements from one block to the next. */
    long blockStride() {
        return layout.elementsPerLayerBlock();
    }

    /** Elements from a block's keys to its values. */
    long valueOffset() {
        return (long) layout.kvHeadCount() * layout.blockSize() * layout.keySize();
    }

    long layerBytes() {
        return blockStride() * (blockCount + 1) * layout.dtype().bytes();
    }

    /** First element of a layer. */
    long layer(int layer) {
        return address + layer * layerBytes();
    }

    /** First element of a block in a layer. */
    long block(int layer, int block) {
        return layer(layer) + block * blockStride() * layout.dtype().bytes();
    }
}
