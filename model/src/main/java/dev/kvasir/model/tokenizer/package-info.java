/** Text to tokens and back. */
@NullMarked
package dev.kvasir.model.tokenizer;

import org.jspecify.annotations.NullMarked;
