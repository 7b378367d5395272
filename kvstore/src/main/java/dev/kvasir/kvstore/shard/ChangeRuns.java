package dev.kvasir.kvstore.shard;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.protocol.HashList;
import dev.kvasir.protocol.PrefixCacheProtocol.Change;
import dev.kvasir.protocol.PrefixCacheProtocol.Tier;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Packs news of single blocks into changes, and changes into messages: blocks of a chain in a row take 16 bytes each. */
final class ChangeRuns {
    /** Each change costs as much as some hashes. */
    private static final int CHANGE_COST = 4;

    private final List<List<Change>> messages = new ArrayList<>();
    private List<Change> message = new ArrayList<>();
    private int cost;
    private HashList.Builder run = new HashList.Builder();
    private @Nullable BlockNews begin;
    private @Nullable BlockNews last;

    void add(BlockNews news) {
        var before = last;
        if (before == null || !continues(before, news) || cost + run.size() >= HashList.MESSAGE_MAX) {
            endRun();
            begin = news;
        }
        run.add(news.hash().high(), news.hash().low());
        last = news;
    }

    private static boolean continues(BlockNews before, BlockNews news) {
        return before.stored() == news.stored()
                && before.tier() == news.tier()
                && before.first().equals(news.first())
                && (!news.stored() || before.hash().equals(news.parent()));
    }

    private void endRun() {
        if (begin != null) {
            message.add(change(begin, run.build()));
            cost += run.size() + CHANGE_COST;
            run = new HashList.Builder();
            begin = null;
            last = null;
            if (cost >= HashList.MESSAGE_MAX) {
                endMessage();
            }
        }
    }

    private static Change change(BlockNews begin, HashList hashes) {
        var parent = begin.parent() == null ? new BlockHash(0, 0) : begin.parent();
        return new Change(
                begin.stored(),
                begin.tier(),
                begin.first().high(),
                begin.first().low(),
                parent.high(),
                parent.low(),
                hashes);
    }

    private void endMessage() {
        if (!message.isEmpty()) {
            messages.add(message);
            message = new ArrayList<>();
            cost = 0;
        }
    }

    /** What was added, each list fit for one message. */
    List<List<Change>> messages() {
        endRun();
        endMessage();
        return messages;
    }

    /** A change that takes blocks away. */
    static Change evicted(Tier tier, BlockHash first, HashList hashes) {
        return new Change(false, tier, first.high(), first.low(), 0, 0, hashes);
    }
}
