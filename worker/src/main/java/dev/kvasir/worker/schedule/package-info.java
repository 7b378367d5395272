/** Pure scheduling decisions: which sequence computes how many tokens in the next step. */
@NullMarked
package dev.kvasir.worker.schedule;

import org.jspecify.annotations.NullMarked;
