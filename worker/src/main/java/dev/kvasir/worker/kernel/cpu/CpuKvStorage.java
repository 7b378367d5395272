package dev.kvasir.worker.kernel.cpu;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.kernel.KvLayout;
import dev.kvasir.worker.kernel.KvStorage;
import java.lang.foreign.MemorySegment;

/** KV blocks in native memory. */
record CpuKvStorage(KvLayout layout, int blockCount, long address, MemorySegment data) implements KvStorage {
    /** Stands where no operation has run yet. */
    static final CpuKvStorage NONE = new CpuKvStorage(new KvLayout(0, 0, 0, 0, 1, DType.F32), 0, 0, MemorySegment.NULL);

    @Override
    public long byteSize() {
        return data.byteSize();
    }

    @Override
    public void readBlock(int block, MemorySegment to) {
        layout.copyBlock(data, blockCount, block, to, true);
    }

    @Override
    public void writeBlock(int block, MemorySegment from) {
        layout.copyBlock(data, blockCount, block, from, false);
    }

    long keys(int layer, int block, int head) {
        return address + layout.keys(blockCount, layer, block, head);
    }

    long values(int layer, int block, int head) {
        return address + layout.values(blockCount, layer, block, head);
    }

    /** Of the slots of a head: {@link KvLayout#SCALE_BYTES} for each. */
    long scales(int layer, int block, int head) {
        return address + layout.scales(blockCount, layer, block, head);
    }
}
