/** The prefix-cache actor: shards of the index, and the actors of those who hold blocks. */
@NullMarked
package dev.kvasir.kvstore.actor;

import org.jspecify.annotations.NullMarked;
