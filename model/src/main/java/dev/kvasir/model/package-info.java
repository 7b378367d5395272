/** Words and files of models. */
@NullMarked
package dev.kvasir.model;

import org.jspecify.annotations.NullMarked;
