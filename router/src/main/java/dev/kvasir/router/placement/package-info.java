/** Which worker takes a request: pure choice over a cluster view. */
@NullMarked
package dev.kvasir.router.placement;

import org.jspecify.annotations.NullMarked;
