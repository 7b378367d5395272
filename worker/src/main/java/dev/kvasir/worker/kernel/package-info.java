/** The narrow interface that model definitions are written against, and its plain-Java oracle. */
@NullMarked
package dev.kvasir.worker.kernel;

import org.jspecify.annotations.NullMarked;
