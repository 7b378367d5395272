/** Model configurations: one declarative description per family. */
@NullMarked
package dev.kvasir.model.config;

import org.jspecify.annotations.NullMarked;
