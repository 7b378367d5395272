@NullMarked
package dev.kvasir.kvstore.store;

import org.jspecify.annotations.NullMarked;
