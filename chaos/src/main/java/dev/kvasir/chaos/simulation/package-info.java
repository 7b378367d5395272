/** A whole cluster in one thread: the code that decides, under virtual time, a hostile network and processes that die. */
@NullMarked
package dev.kvasir.chaos.simulation;

import org.jspecify.annotations.NullMarked;
