package dev.kvasir.worker.kernel;

import java.lang.foreign.MemorySegment;

/** KV blocks of the reference: keys and values one by one. */
record HostKv(KvLayout layout, int blockCount, MemorySegment data) implements KvStorage {
    @Override
    public void readBlock(int block, MemorySegment to) {
        layout.copyBlock(data, blockCount, block, to, true);
    }

    @Override
    public void writeBlock(int block, MemorySegment from) {
        layout.copyBlock(data, blockCount, block, from, false);
    }

    @Override
    public long byteSize() {
        return data.byteSize();
    }

    void writeKey(int layer, int[] blockTable, int head, int position, float[] row) {
        KvRow.write(
                data,
                layout.format(),
                key(layer, blockTable, head, position),
                scale(layer, blockTable, head, position),
                row);
    }

    void writeValue(int layer, int[] blockTable, int head, int position, float[] row) {
        long scale = scale(layer, blockTable, head, position) + Short.BYTES;
        KvRow.write(data, layout.format(), value(layer, blockTable, head, position), scale, row);
    }

    void readKey(int layer, int[] blockTable, int head, int position, float[] row) {
        KvRow.read(
                data,
                layout.format(),
                key(layer, blockTable, head, position),
                scale(layer, blockTable, head, position),
                row);
    }

    void readValue(int layer, int[] blockTable, int head, int position, float[] row) {
        long scale = scale(layer, blockTable, head, position) + Short.BYTES;
        KvRow.read(data, layout.format(), value(layer, blockTable, head, position), scale, row);
    }

    private int block(int[] blockTable, int position) {
        return blockTable[position / layout.blockSize()];
    }

    private long slot(int position) {
        return position % layout.blockSize();
    }

    private long key(int layer, int[] blockTable, int head, int position) {
        return layout.keys(blockCount, layer, block(blockTable, position), head)
                + slot(position) * layout.keySize() * layout.format().elementBytes();
    }

    private long value(int layer, int[] blockTable, int head, int position) {
        return layout.values(blockCount, layer, block(blockTable, position), head)
                + slot(position) * layout.valueSize() * layout.format().elementBytes();
    }

    private long scale(int layer, int[] blockTable, int head, int position) {
        return layout.scales(blockCount, layer, block(blockTable, position), head)
                + slot(position) * KvLayout.SCALE_BYTES;
    }
}
