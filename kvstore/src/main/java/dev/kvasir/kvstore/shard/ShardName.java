package dev.kvasir.kvstore.shard;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.BlockHasher;
import dev.kvasir.kvstore.hash.HashRoot;
import java.util.ArrayList;
import java.util.List;

/**
 * Names of the index's shards. Each pool of workers that can share blocks has some, and each of those a range of hashes of
 * chains' first blocks, so that a chain lies in one shard.
 */
public final class ShardName {
    private ShardName() {}

    /** Name of all whose blocks can be exchanged: same model, element type and block size. */
    public static String pool(String fingerprint, String kvDtype, int blockSize) {
        var root = new HashRoot(fingerprint, "", kvDtype, blockSize, "", "");
        return new BlockHasher(blockSize).root(root).toString();
    }

    /** The shard of a chain. */
    public static String of(String pool, BlockHash first, int shardsPerPool) {
        return name(pool, range(first, shardsPerPool));
    }

    /** Which of a pool's shards a chain lies in. */
    public static int range(BlockHash first, int shardsPerPool) {
        return (int) Long.remainderUnsigned(first.high(), shardsPerPool);
    }

    /** All shards of a pool, by range. */
    public static List<String> all(String pool, int shardsPerPool) {
        var names = new ArrayList<String>();
        for (int range = 0; range < shardsPerPool; range++) {
            names.add(name(pool, range));
        }
        return names;
    }

    private static String name(String pool, int range) {
        return pool + "-" + range;
    }
}
