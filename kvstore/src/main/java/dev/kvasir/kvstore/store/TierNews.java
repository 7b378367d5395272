package dev.kvasir.kvstore.store;

import dev.kvasir.kvstore.shard.BlockFeed;
import dev.kvasir.kvstore.shard.BlockNews;
import dev.kvasir.kvstore.tier.StoredBlock;
import dev.kvasir.protocol.PrefixCacheProtocol.Tier;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Collects news of tiers that many threads change, for the one actor that publishes them. Bounded. */
final class TierNews {
    private static final int NEWS_MAX = 65_536;

    private final Supplier<List<BlockNews>> all;
    private List<BlockNews> news = new ArrayList<>();
    private boolean lost;

    /** Where more is told than fits, {@code all} is asked for everything, without any lock. */
    TierNews(Supplier<List<BlockNews>> all) {
        this.all = all;
    }

    synchronized void tell(boolean stored, Tier tier, StoredBlock block) {
        if (news.size() < NEWS_MAX) {
            news.add(new BlockNews(stored, tier, block.first(), block.parent(), block.hash()));
        } else {
            lost = true;
        }
    }

    /** Everything is to be told once more. */
    synchronized void tellAnew() {
        lost = true;
    }

    BlockFeed.@Nullable Batch poll() {
        List<BlockNews> taken;
        synchronized (this) {
            if (!lost) {
                if (news.isEmpty()) {
                    return null;
                }
                taken = news;
                news = new ArrayList<>();
                return new BlockFeed.Batch(taken, false);
            }
            lost = false;
            news.clear();
        }
        // What changes from here on is told once more afterwards.
        return new BlockFeed.Batch(all.get(), true);
    }
}
