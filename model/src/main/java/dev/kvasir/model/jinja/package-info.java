/** A small, bounded Jinja engine for chat templates. */
@NullMarked
package dev.kvasir.model.jinja;

import org.jspecify.annotations.NullMarked;
