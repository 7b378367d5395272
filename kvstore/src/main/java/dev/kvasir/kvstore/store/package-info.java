/** A kvstore: copies of KV blocks that outlive the workers which computed them. */
@NullMarked
package dev.kvasir.kvstore.store;

import org.jspecify.annotations.NullMarked;
