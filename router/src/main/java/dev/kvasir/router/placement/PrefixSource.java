package dev.kvasir.router.placement;

import dev.kvasir.kvstore.index.IndexReplica;
import org.jspecify.annotations.Nullable;

/** Where a router looks up who holds a prompt's blocks. */
@FunctionalInterface
public interface PrefixSource {
    /** The replica that knows of the query's prompt; null where there is none yet. */
    @Nullable
    IndexReplica replica(Query query);
}
