/** A cluster in virtual time: real placement, ledger and index; workers that only count and keep the clock. */
@NullMarked
package dev.kvasir.bench.simulate;

import org.jspecify.annotations.NullMarked;
