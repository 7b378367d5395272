/** Real processes of the installed program on one machine, and what can happen to processes. */
@NullMarked
package dev.kvasir.chaos.process;

import org.jspecify.annotations.NullMarked;
