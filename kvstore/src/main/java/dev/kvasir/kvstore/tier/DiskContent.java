package dev.kvasir.kvstore.tier;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;

/**
 * What lies in a file of blocks when it is opened.
 *
 * @param index sound headers; the bytes behind them are looked at when they are read
 * @param free slots without one, the first ones last
 * @param rejected headers that were not of this format, or of a block that another slot has
 */
record DiskContent(TierIndex index, List<Integer> free, int rejected) {
    static DiskContent none(DiskLayout layout) {
        var free = new ArrayList<Integer>();
        for (int slot = layout.slots() - 1; slot >= 0; slot--) {
            free.add(slot);
        }
        return new DiskContent(new TierIndex(), free, 0);
    }

    /**
     * Reads all headers; an error where the disk is too slow for that.
     *
     * @param ended says that nobody wants the rest any more
     */
    static DiskContent of(
            BlockFile file, DiskLayout layout, DiskHealth speed, LongSupplier clock, BooleanSupplier ended)
            throws IOException {
        var index = new TierIndex();
        var free = new ArrayList<Integer>();
        int rejected = 0;
        var scratch = ByteBuffer.allocate(FrameHeader.BYTES);
        for (int slot = layout.slots() - 1; slot >= 0 && !ended.getAsBoolean(); slot--) {
            long start = clock.getAsLong();
            var header = layout.header(file, slot, scratch);
            long now = clock.getAsLong();
            if (speed.succeeded(now - start, now)) {
                throw new IOException(speed.reason());
            }
            if (header == null) {
                free.add(slot);
            } else if (layout.isOwn(header) && index.get(header.block().hash()) == null) {
                index.add(header.block(), slot);
            } else {
                rejected++;
                free.add(slot);
            }
        }
        return new DiskContent(index, free, rejected);
    }
}
