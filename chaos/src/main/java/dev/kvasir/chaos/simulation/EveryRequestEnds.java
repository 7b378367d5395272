package dev.kvasir.chaos.simulation;

import dev.kvasir.router.Failure;
import java.util.HashSet;

/**
 * P1: each request ends once, and fails only where it must. That answers are right, their clients check.
 *
 * <pre>
 * RESOURCE_EXHAUSTED  always: queues are bounded
 * DEADLINE_EXCEEDED   of a client in a hurry, and where faults last longer than a request may
 * UNAVAILABLE         unless some worker, and the way to it, stayed whole
 * NOT_FOUND           when a router has died, of a request that had not begun, or whose worker suffered too; a worker
 *                     that drains does not suffer: it waits for those whose router died
 * </pre>
 */
final class EveryRequestEnds implements Invariant {
    private static final String PROMISE = "P1 each request ends as it should";

    @Override
    public void failed(World world, ClientShell.Exchange exchange, Failure failure) {
        var job = exchange.job();
        boolean mayFail = switch (failure.kind()) {
            case RESOURCE_EXHAUSTED -> true;
            case DEADLINE_EXCEEDED -> job.deadlineNanos() != Job.NEVER;
            case UNAVAILABLE -> !someWorkerStaysWhole(world.scenario());
            case NOT_FOUND ->
                exchange.lostRouter() && (exchange.answer().tokenCount() == 0 || !onlyRoutersSuffer(world.scenario()));
            default -> false;
        };
        Violation.unless(mayFail, PROMISE, () -> job.id() + " failed: " + failure);
    }

    /** A worker without faults that everybody can reach, in a majority that stays. */
    private static boolean someWorkerStaysWhole(Scenario scenario) {
        var hurt = new HashSet<String>();
        for (var fault : scenario.faults()) {
            if (fault.hurtsNetwork()) {
                return false;
            }
            hurt.addAll(fault.members());
        }
        var geometry = scenario.geometry();
        return 2 * hurt.size() < geometry.routers() + geometry.workers() + geometry.kvstores()
                && hurt.stream().filter(World::isWorker).count() < geometry.workers();
    }

    private static boolean onlyRoutersSuffer(Scenario scenario) {
        return scenario.faults().stream()
                .filter(fault -> !(fault instanceof Fault.Drain))
                .allMatch(fault ->
                        !fault.hurtsNetwork() && fault.members().stream().noneMatch(World::isWorker));
    }

    @Override
    public void atRest(World world) {
        for (var exchange : world.client().exchanges()) {
            Violation.unless(exchange.over(), PROMISE, () -> exchange.job() + " has no end");
        }
    }
}
