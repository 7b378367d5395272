/** Who holds which KV blocks: the prefix index, and the replica of it that a router keeps. */
@NullMarked
package dev.kvasir.kvstore.index;

import org.jspecify.annotations.NullMarked;
