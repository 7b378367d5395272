/** The one executable. */
@NullMarked
package dev.kvasir.deploy;

import org.jspecify.annotations.NullMarked;
