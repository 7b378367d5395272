package dev.kvasir.chaos.simulation;

import dev.kvasir.router.placement.ClusterView.WorkerView;
import dev.kvasir.router.placement.WorkerId;
import org.jspecify.annotations.Nullable;

/** P7: when everything has come to rest, each router knows each worker and what it has to do. */
final class LoadsAreKnown implements Invariant {
    private static final String PROMISE = "P7 each router knows all workers and their loads";

    @Override
    public boolean waits(World world) {
        return wrong(world) != null;
    }

    @Override
    public void atRest(World world) {
        var wrong = wrong(world);
        Violation.unless(wrong == null, PROMISE, () -> String.valueOf(wrong));
    }

    private static @Nullable String wrong(World world) {
        for (var router : world.programs(RouterShell.class)) {
            for (var life : world.cluster().alive()) {
                if (life.program() instanceof WorkerShell worker) {
                    var wrong = wrong(router, life, worker);
                    if (wrong != null) {
                        return wrong;
                    }
                }
            }
        }
        return null;
    }

    private static @Nullable String wrong(RouterShell router, Life life, WorkerShell worker) {
        var id = new WorkerId(life.name(), life.incarnation());
        var known = router.view().workers().stream()
                .filter(one -> one.id().equals(id))
                .findFirst();
        if (known.isEmpty()) {
            return router + " does not know " + worker;
        }
        var load = worker.core().load();
        return fits(known.get(), load.freeBlocks(), load.tokensInFlight())
                ? null
                : "%s thinks of %s: %s, but it has %s".formatted(router, worker, known.get(), load);
    }

    private static boolean fits(WorkerView view, int freeBlocks, long tokens) {
        return view.freeBlocks() == freeBlocks && view.tokens() == tokens;
    }
}
