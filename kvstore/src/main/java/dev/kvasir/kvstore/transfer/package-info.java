/** The data plane: KV blocks between members, over gRPC streams of raw bytes. */
@NullMarked
package dev.kvasir.kvstore.transfer;

import org.jspecify.annotations.NullMarked;
