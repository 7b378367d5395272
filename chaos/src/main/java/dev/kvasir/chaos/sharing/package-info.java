/** What the shared prefix cache gains, measured on real processes. */
@NullMarked
package dev.kvasir.chaos.sharing;

import org.jspecify.annotations.NullMarked;
