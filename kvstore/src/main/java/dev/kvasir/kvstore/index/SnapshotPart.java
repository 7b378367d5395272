package dev.kvasir.kvstore.index;

import dev.kvasir.kvstore.index.BlockEvent.Stored;
import java.util.List;

/**
 * A piece of all that one holder held after its event number {@code sequence} (0: before the first). The sender sends all
 * parts of a snapshot, in order, before it sends later events to the same listener. Blocks may come in any order; a block
 * in two tiers is named twice.
 *
 * @param part counts from 0
 * @param parts of this snapshot, at least 1
 */
public record SnapshotPart(Holder holder, long sequence, int part, int parts, List<Stored> blocks) {
    public SnapshotPart {
        blocks = List.copyOf(blocks);
        if (part < 0 || part >= parts) {
            throw new IllegalArgumentException("snapshot part is %d of %d".formatted(part, parts));
        }
    }
}
