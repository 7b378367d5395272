package dev.kvasir.chaos.simulation;

/** P7 meanwhile: soon after a router's death no worker computes for it any more. */
final class NoOrphans implements Invariant {
    private static final String PROMISE = "P7 nobody computes for the dead";
    private static final long GRACE = 3 * World.LEASE;

    @Override
    public void now(World world) {
        for (var router : world.cluster().everyLife()) {
            if (router.isDead() && router.unchangedNanos() > GRACE && router.program() instanceof RouterShell) {
                check(world, router);
            }
        }
    }

    private static void check(World world, Life router) {
        for (var worker : world.cluster().alive()) {
            boolean awake = worker.isRunning() && worker.unchangedNanos() > GRACE;
            if (awake && worker.program() instanceof WorkerShell shell) {
                var running = shell.streams().runningFor(router.toString());
                Violation.unless(
                        running.isEmpty(), PROMISE, () -> "%s still runs %s for %s".formatted(worker, running, router));
            }
        }
    }
}
