/** Settings of the shared prefix cache. */
@NullMarked
package dev.kvasir.kvstore;

import org.jspecify.annotations.NullMarked;
