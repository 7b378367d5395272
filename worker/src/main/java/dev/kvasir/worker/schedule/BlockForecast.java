package dev.kvasir.worker.schedule;

import dev.kvasir.kvstore.block.BlockPool;
import dev.kvasir.kvstore.block.BlockTable;
import java.util.Arrays;

/** How many blocks will be available if the plan made so far is applied; exact, without touching the pool. */
final class BlockForecast {
    private final BlockPool pool;
    private final int[] change;
    private boolean changed;
    private int available;

    BlockForecast(BlockPool pool) {
        this.pool = pool;
        this.change = new int[pool.capacity()];
    }

    void begin() {
        available = pool.available();
        if (changed) {
            Arrays.fill(change, 0);
            changed = false;
        }
    }

    int available() {
        return available;
    }

    boolean isShared(int block) {
        return references(block) > 1;
    }

    boolean isUnused(int block) {
        return references(block) == 0;
    }

    /** New blocks for somebody. */
    void take(int count) {
        available -= count;
    }

    /** A cached or used block gets one more reference. */
    void share(int block) {
        if (references(block) == 0) {
            available--;
        }
        add(block, 1);
    }

    /** A holder of a shared block gets a copy instead. */
    void copy(int block) {
        available--;
        add(block, -1);
    }

    void giveBack(BlockTable table) {
        for (int i = 0; i < table.size(); i++) {
            int block = table.get(i);
            add(block, -1);
            if (references(block) == 0) {
                available++;
            }
        }
    }

    private int references(int block) {
        return pool.references(block) + change[block];
    }

    private void add(int block, int count) {
        change[block] += count;
        changed = true;
    }
}
