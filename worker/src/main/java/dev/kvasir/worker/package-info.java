/** The worker actor: the door of an engine. */
@NullMarked
package dev.kvasir.worker;

import org.jspecify.annotations.NullMarked;
