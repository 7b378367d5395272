/** Faults on purpose: a seeded simulation of whole clusters. */
@NullMarked
package dev.kvasir.chaos;

import org.jspecify.annotations.NullMarked;
