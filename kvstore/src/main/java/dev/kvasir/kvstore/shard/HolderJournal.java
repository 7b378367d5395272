package dev.kvasir.kvstore.shard;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.protocol.PrefixCacheProtocol;
import dev.kvasir.protocol.PrefixCacheProtocol.Change;
import dev.kvasir.protocol.PrefixCacheProtocol.Tier;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a holder of blocks tells the shards of the index: each change once, numbered per shard; all blocks of a shard when
 * asked; how far it is, regularly. Remembers the blocks told, so that a question never reaches those who own them. Pure:
 * messages leave through the {@link Outbox}. About 150 bytes per block.
 */
public final class HolderJournal {
    private static final Tier[] TIERS = Tier.values();

    /** Where messages to shards go. */
    public interface Outbox {
        void publish(String shard, long firstSequence, List<Change> changes);

        void contents(String shard, long sequence, int part, int parts, List<Change> blocks);

        void renew(String shard, long sequence);

        void leave(String shard);
    }

    private static final class Block {
        private final BlockHash first;
        private final @Nullable BlockHash parent;
        private int tiers;

        Block(BlockHash first, @Nullable BlockHash parent) {
            this.first = first;
            this.parent = parent;
        }

        boolean in(Tier tier) {
            return (tiers & tier.bit()) != 0;
        }
    }

    private static final class Feed {
        private final Map<BlockHash, Block> blocks = new LinkedHashMap<>();
        private long sequence;
        private ChangeRuns pending = new ChangeRuns();
    }

    private final List<String> names;
    private final Map<String, Feed> feeds = new HashMap<>();

    /** @param shards of the holder's pool, by range */
    public HolderJournal(List<String> shards) {
        this.names = List.copyOf(shards);
        names.forEach(name -> feeds.put(name, new Feed()));
    }

    /** Notes news, to be told with the next {@link #flush}. What changes nothing is dropped. */
    public void note(BlockNews news) {
        var feed = feed(news.first());
        int bit = news.tier().bit();
        if (news.stored()) {
            var block = feed.blocks.computeIfAbsent(news.hash(), _ -> new Block(news.first(), news.parent()));
            if ((block.tiers & bit) == 0) {
                block.tiers |= bit;
                feed.pending.add(news);
            }
            return;
        }
        var block = feed.blocks.get(news.hash());
        if (block != null && (block.tiers & bit) != 0) {
            block.tiers &= ~bit;
            feed.pending.add(news);
            if (block.tiers == 0) {
                feed.blocks.remove(news.hash());
            }
        }
    }

    /** Tells what was noted. */
    public void flush(Outbox outbox) {
        for (var name : names) {
            var feed = of(name);
            for (var changes : take(feed)) {
                outbox.publish(name, feed.sequence + 1, changes);
                feed.sequence += PrefixCacheProtocol.events(changes);
            }
        }
    }

    private static List<List<Change>> take(Feed feed) {
        var messages = feed.pending.messages();
        if (!messages.isEmpty()) {
            feed.pending = new ChangeRuns();
        }
        return messages;
    }

    /** The blocks are these, whatever was noted before; tells all shards. */
    public void begin(Collection<BlockNews> all, Outbox outbox) {
        for (var name : names) {
            var feed = of(name);
            feed.blocks.clear();
            feed.pending = new ChangeRuns();
            // A number that was never told, so that shards which are up to date take the contents too.
            feed.sequence++;
        }
        for (var news : all) {
            var block =
                    feed(news.first()).blocks.computeIfAbsent(news.hash(), _ -> new Block(news.first(), news.parent()));
            block.tiers |= news.tier().bit();
        }
        names.forEach(name -> tellContents(name, outbox));
    }

    /** A shard asks for everything. */
    public void asked(String shard, Outbox outbox) {
        if (feeds.containsKey(shard)) {
            flush(outbox);
            tellContents(shard, outbox);
        }
    }

    private void tellContents(String name, Outbox outbox) {
        var feed = of(name);
        var runs = new ChangeRuns();
        for (var tier : TIERS) {
            feed.blocks.forEach((hash, block) -> {
                if (block.in(tier)) {
                    runs.add(new BlockNews(true, tier, block.first, block.parent, hash));
                }
            });
        }
        var parts = runs.messages();
        if (parts.isEmpty()) {
            outbox.contents(name, feed.sequence, 0, 1, List.of());
        }
        for (int part = 0; part < parts.size(); part++) {
            outbox.contents(name, feed.sequence, part, parts.size(), parts.get(part));
        }
    }

    /** Tells all shards that the holder lives, and how far it is. */
    public void renew(Outbox outbox) {
        names.forEach(name -> outbox.renew(name, of(name).sequence));
    }

    /** Tells all shards that the holder goes. */
    public void leave(Outbox outbox) {
        names.forEach(outbox::leave);
    }

    /** Blocks told or noted, for tests and metrics. */
    public int size() {
        return feeds.values().stream().mapToInt(feed -> feed.blocks.size()).sum();
    }

    /** All blocks with their tiers, for tests. */
    public Collection<BlockNews> all() {
        var all = new ArrayList<BlockNews>();
        for (var tier : TIERS) {
            feeds.values()
                    .forEach(feed -> feed.blocks.forEach((hash, block) -> {
                        if (block.in(tier)) {
                            all.add(new BlockNews(true, tier, block.first, block.parent, hash));
                        }
                    }));
        }
        return all;
    }

    private Feed feed(BlockHash first) {
        return of(names.get(ShardName.range(first, names.size())));
    }

    private Feed of(String name) {
        var feed = feeds.get(name);
        if (feed == null) {
            throw new IllegalStateException("no shard is called " + name);
        }
        return feed;
    }
}
