@NullMarked
package dev.kvasir.chaos.simulation;

import org.jspecify.annotations.NullMarked;
