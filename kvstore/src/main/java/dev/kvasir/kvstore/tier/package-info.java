/** Copies of KV blocks outside of the device: in host memory and on disk. */
@NullMarked
package dev.kvasir.kvstore.tier;

import org.jspecify.annotations.NullMarked;
