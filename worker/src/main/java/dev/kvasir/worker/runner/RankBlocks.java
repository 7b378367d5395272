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
 * split. Each rank copies its own heads; they are brought to their places, and taken from there, by the caller.
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
        ranks.each(rank -> all.get(rank).kv().readBlock(block, parts.get(rank)));
        for (int rank = 0; rank < ranks.count(); rank++) {
            if (new Shard(rank, ranks.count()).ownsKvHeads(layout.kvHeadCount())) {
                copy(to, rank, false);
            }
        }
    }

    void write(int block, MemorySegment from) {
        if (parts.isEmpty()) {
            all.getFirst().kv().writeBlock(block, from);
            return;
        }
        require(from);
        for (int rank = 0; rank < ranks.count(); rank++) {
            copy(from, rank, true);
        }
        ranks.each(rank -> all.get(rank).kv().writeBlock(block, parts.get(rank)));
    }

    /** On the caller's thread, which alone may be allowed to touch the block. */
    private void copy(MemorySegment whole, int rank, boolean out) {
        int firstHead = new Shard(rank, ranks.count()).firstKvHead(layout.kvHeadCount());
        layout.copyHeads(whole, firstHead, all.get(rank).kv().layout(), parts.get(rank), out);
    }

    private void require(MemorySegment block) {
        if (block.byteSize() != byteSize()) {
            throw new IllegalArgumentException(
                    "a block of %d bytes, given are %d".formatted(byteSize(), block.byteSize()));
        }
    }
}
