package dev.kvasir.kvstore.shard;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Takes news of blocks from the thread that owns them to the one that publishes them; batched, bounded, never waiting. Where
 * the publisher cannot keep up, news are dropped and all blocks are told anew once it has caught up. Thread-safe; the
 * owner's thread alone calls {@link #add} and {@link #flush}.
 */
public final class BlockFeed {
    /**
     * News to publish.
     *
     * @param anew the news are all blocks there are: what was known before is void
     */
    public record Batch(List<BlockNews> news, boolean anew) {}

    private final int batchesMax;
    private final Supplier<List<BlockNews>> contents;
    private final Runnable wake;
    private final ArrayDeque<Batch> batches = new ArrayDeque<>();
    private List<BlockNews> current = new ArrayList<>();
    private boolean lost;

    /**
     * @param contents all blocks there are, asked for on the owner's thread
     * @param wake tells the publisher to poll; must not block
     */
    public BlockFeed(int batchesMax, Supplier<List<BlockNews>> contents, Runnable wake) {
        this.batchesMax = batchesMax;
        this.contents = contents;
        this.wake = wake;
    }

    public void add(BlockNews news) {
        current.add(news);
    }

    /** Hands over what was added. */
    public void flush() {
        if (!current.isEmpty() || isLost()) {
            handOver();
        }
    }

    private void handOver() {
        boolean first;
        synchronized (batches) {
            first = batches.isEmpty();
            if (lost || batches.size() == batchesMax) {
                lost = true;
                current.clear();
                if (!first) {
                    return;
                }
                batches.add(new Batch(contents.get(), true));
                lost = false;
            } else {
                batches.add(new Batch(current, false));
                current = new ArrayList<>();
            }
        }
        if (first) {
            wake.run();
        }
    }

    /** The owner knows that news are missing: all blocks are to be told anew. */
    public void lose() {
        synchronized (batches) {
            lost = true;
        }
    }

    /** The next batch; null where there is none. */
    public @Nullable Batch poll() {
        synchronized (batches) {
            return batches.poll();
        }
    }

    /** News were dropped: the owner has to {@link #flush} once more. */
    public boolean isLost() {
        synchronized (batches) {
            return lost;
        }
    }
}
