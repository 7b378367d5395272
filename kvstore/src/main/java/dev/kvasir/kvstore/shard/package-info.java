/** The shared prefix index as state machines: a holder's journal of its blocks, a shard of the index. */
@NullMarked
package dev.kvasir.kvstore.shard;

import org.jspecify.annotations.NullMarked;
