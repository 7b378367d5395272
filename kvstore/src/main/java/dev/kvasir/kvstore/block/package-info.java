/** Block pool, block tables, prefix cache of one worker. */
@NullMarked
package dev.kvasir.kvstore.block;

import org.jspecify.annotations.NullMarked;
