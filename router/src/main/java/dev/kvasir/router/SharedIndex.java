package dev.kvasir.router;

import dev.kvasir.kvstore.actor.PrefixCacheShards;

/**
 * The prefix index that a router follows.
 *
 * @param shardsPerPool that all members agree on
 * @param blocksMax blocks of each shard that the router's copy holds
 */
public record SharedIndex(PrefixCacheShards shards, int shardsPerPool, int blocksMax) {}
