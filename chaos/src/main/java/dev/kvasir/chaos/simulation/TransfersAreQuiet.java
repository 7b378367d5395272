package dev.kvasir.chaos.simulation;

import dev.kvasir.kvstore.tier.MemoryTier;
import org.jspecify.annotations.Nullable;

/**
 * P3 and P7 for what is copied and pulled: when everything has come to rest no transfer is open, no slot of host memory has a
 * writer or a reader, and every copy is whole.
 */
final class TransfersAreQuiet implements Invariant {
    private static final String QUIET = "P7 no transfer goes on";
    private static final String WHOLE = "P3 a copy that was verified stays as it was";

    @Override
    public boolean waits(World world) {
        return world.wires().underWay() > 0;
    }

    @Override
    public void atRest(World world) {
        long open = world.wires().underWay();
        Violation.unless(open == 0, QUIET, () -> open + " calls are open");
        for (var worker : world.programs(WorkerShell.class)) {
            check(worker.toString(), worker.tier());
            Violation.unless(worker.offers().isIdle(), QUIET, () -> worker + " has blocks to offer that it does not");
        }
        world.programs(KvStoreShell.class).forEach(store -> check(store.toString(), store.tier()));
    }

    private static void check(String member, @Nullable MemoryTier tier) {
        if (tier == null) {
            return;
        }
        Violation.unless(tier.inUse() == 0, QUIET, () -> "%s uses %d slots".formatted(member, tier.inUse()));
        for (var block : tier.blocks()) {
            try (var pin = tier.pin(block.hash())) {
                Violation.unless(
                        pin != null && pin.verify(), WHOLE, () -> "%s has %s damaged".formatted(member, block));
            }
        }
        Violation.unless(tier.damaged() == 0, WHOLE, () -> "%s found %d damaged".formatted(member, tier.damaged()));
    }
}
