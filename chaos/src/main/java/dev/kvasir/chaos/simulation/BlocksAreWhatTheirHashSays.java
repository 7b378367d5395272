package dev.kvasir.chaos.simulation;

import dev.kvasir.kvstore.block.BlockInvariants;
import dev.kvasir.kvstore.block.BlockTable;
import dev.kvasir.kvstore.hash.BlockHash;
import java.util.ArrayList;
import java.util.Set;

/**
 * P3: what a sequence attends to is what was computed for its own tokens under its own root, and pool, tables and cache of a
 * worker agree.
 */
final class BlocksAreWhatTheirHashSays implements Invariant {
    private static final String PROMISE = "P3 KV is what its hash says";

    private final Set<BlockHash> roots;

    BlocksAreWhatTheirHashSays(Set<BlockHash> roots) {
        this.roots = roots;
    }

    @Override
    public void engineStepped(Life life, WorkerShell worker) {
        var tables = new ArrayList<BlockTable>();
        for (var sequence : worker.core().sequences()) {
            tables.add(sequence.table());
            var chain = sequence.chain();
            check(
                    life,
                    worker.memory(),
                    sequence.tokens(),
                    sequence.computed(),
                    sequence.table(),
                    Oracle.digest(chain.parent(0)));
        }
        try {
            BlockInvariants.check(worker.core().cache(), tables, roots);
        } catch (IllegalStateException e) {
            throw new Violation(PROMISE, life + ": " + e.getMessage());
        }
    }

    private static void check(Life life, KvMemory memory, int[] tokens, int computed, BlockTable table, long root) {
        long kv = root;
        int size = memory.blockSize();
        for (int position = 0; position < computed; position++) {
            kv = StandInModel.kv(kv, tokens[position], position);
            int block = table.get(position / size);
            if (memory.block(block)[position % size] != kv) {
                throw new Violation(
                        PROMISE,
                        "%s: position %d of a sequence is in block %d, which holds something else"
                                .formatted(life, position, block));
            }
        }
    }
}
