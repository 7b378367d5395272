/** Front doors and token streams. */
@NullMarked
package dev.kvasir.router;

import org.jspecify.annotations.NullMarked;
