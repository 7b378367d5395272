/** Identity of KV blocks: chained hashes. */
@NullMarked
package dev.kvasir.kvstore.hash;

import org.jspecify.annotations.NullMarked;
