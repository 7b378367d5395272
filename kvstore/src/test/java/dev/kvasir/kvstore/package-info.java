@NullMarked
package dev.kvasir.kvstore;

import org.jspecify.annotations.NullMarked;
