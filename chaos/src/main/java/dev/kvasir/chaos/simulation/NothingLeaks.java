package dev.kvasir.chaos.simulation;

/** P7: when traffic stops, nothing is left of it. */
final class NothingLeaks implements Invariant {
    private static final String PROMISE = "P7 nothing leaks";

    @Override
    public void atRest(World world) {
        var workers = world.programs(WorkerShell.class);
        workers.forEach(NothingLeaks::check);
        if (world.restsLong()) {
            workers.forEach(
                    worker -> world.client().exchanges().forEach(exchange -> checkForgotten(worker, exchange.job())));
        }
        world.programs(RouterShell.class).forEach(NothingLeaks::check);
    }

    private static void check(WorkerShell worker) {
        var pool = worker.core().cache().pool();
        int atHand = worker.streams().inEngine() + worker.submitted();
        Violation.unless(worker.core().isIdle(), PROMISE, () -> worker + " still computes");
        Violation.unless(atHand == 0, PROMISE, () -> "%s has %d requests".formatted(worker, atHand));
        Violation.unless(pool.used() == 0, PROMISE, () -> "%s uses %d blocks".formatted(worker, pool.used()));
        Violation.unless(pool.free() + pool.cached() == pool.capacity(), PROMISE, () -> worker + " has lost blocks");
    }

    private static void checkForgotten(WorkerShell worker, Job job) {
        Violation.unless(
                worker.streams().find(job.id()).known().isEmpty(),
                PROMISE,
                () -> "%s still keeps what it said of %s".formatted(worker, job.id()));
    }

    private static void check(RouterShell router) {
        Violation.unless(router.streams() == 0, PROMISE, () -> "%s has %d streams".formatted(router, router.streams()));
        for (var worker : router.view().workers()) {
            Violation.unless(
                    worker.tokens() == 0 && worker.requests() == 0, PROMISE, () -> router + " still counts " + worker);
        }
    }
}
