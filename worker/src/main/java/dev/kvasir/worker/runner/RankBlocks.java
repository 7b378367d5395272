package dev.kvasir.worker.runner;

import dev.kvasir.worker.forward.Shard;
import dev.kvasir.worker.kernel.KvLayout;
import dev.kvasir.worker.kernel.Ranks;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Content of KV blocks as the whole model has it, whatever the number of ranks: outside a worker nobody has to know how it is
 * split. Each rank brings its own heads to their places, and takes them from there.
 */
final class RankBlocks {
    private final Ranks ranks;
    private final List<DecoderRank> all;
    private final KvLayout layout;
    private final List<MemorySegment> parts;

    RankBlocks(Ranks ranks, List<DecoderRank> all, KvLayout layout) {
        this.ranks = ranks;
        this.all = all;
        this.layout = layout;
        parts = IntStream.range(0, ranks.count() == 1 ? 0 : ranks.count())
                .mapToObj(rank ->
                        Arena.ofAuto().allocate(all.get(rank).kv().layout().bytesPerBlock(), 64))
                .toList();
    }

    long byteSize() {
        return layout.bytesPerBlock();
    }

    void read(int block, MemorySegment to) {
        if (parts.isEmpty()) {
            all.getFirst().kv().readBlock(block, to);
            return;
        }
        require(to);
        ranks.each(rank -> {
            var shard = new Shard(rank, ranks.count());
            if (shard.ownsKvHeads(layout.kvHeadCount())) {
                var kv = all.get(rank).kv();
                kv.readBlock(block, parts.get(rank));
                layout.copyHeads(to, shard.firstKvHead(layout.kvHeadCount()), kv.layout(), parts.get(rank), false);
            }
        });
    }

    void write(int block, MemorySegment from) {
        if (parts.isEmpty()) {
            all.getFirst().kv().writeBlock(block, from);
            return;
        }
        require(from);
        ranks.each(rank -> {
            var kv = all.get(rank).kv();
            int head = new Shard(rank, ranks.count()).firstKvHead(layout.kvHeadCount());
            layout.copyHeads(from, head, kv.layout(), parts.get(rank), true);
            kv.writeBlock(block, parts.get(rank));
        });
    }

    private void require(MemorySegment block) {
        if (block.byteSize() != byteSize()) {
            throw new IllegalArgumentException(
                    "a block of %d bytes, given are %d".formatted(byteSize(), block.byteSize()));
        }
    }
}
