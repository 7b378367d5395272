package dev.kvasir.kvstore.shard;

import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.protocol.PrefixCacheProtocol.Tier;
import org.jspecify.annotations.Nullable;

/**
 * A block came into a tier of a holder, or left it.
 *
 * @param first hash of the chain's first block
 * @param parent hash of the block before it; null for a chain's first
 */
public record BlockNews(
        boolean stored,
        Tier tier,
        BlockHash first,
        @Nullable BlockHash parent,
        BlockHash hash) {}
