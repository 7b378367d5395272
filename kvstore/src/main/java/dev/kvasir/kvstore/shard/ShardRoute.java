package dev.kvasir.kvstore.shard;

import dev.kvasir.protocol.PrefixCacheProtocol.Command;

/** The way to the shards of the prefix index, wherever they are. Nothing that is sent there is sure to arrive. */
public interface ShardRoute {
    /** Whether some member holds shards; else messages to them would wait for one. */
    boolean exist();

    /** Sends to a shard. */
    void tell(String shard, Command command);
}
