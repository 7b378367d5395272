/** Client library of Kvasir. */
@NullMarked
package dev.kvasir.client;

import org.jspecify.annotations.NullMarked;
