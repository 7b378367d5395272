/** Load generator and its report. */
@NullMarked
package dev.kvasir.bench;

import org.jspecify.annotations.NullMarked;
