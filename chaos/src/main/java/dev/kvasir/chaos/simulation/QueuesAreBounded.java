package dev.kvasir.chaos.simulation;

import dev.kvasir.worker.OfferQueue;

/** P4: every queue has a bound and keeps it. */
final class QueuesAreBounded implements Invariant {
    private static final String PROMISE = "P4 queues are bounded";

    @Override
    public void engineStepped(Life life, WorkerShell worker) {
        var geometry = worker.geometry();
        var load = worker.core().load();
        int outputsMax = 3;
        int waitingMax = (geometry.waitingMax() + geometry.sequencesMax()) * outputsMax;
        int offered = worker.offers().waiting();
        Violation.unless(
                offered <= OfferQueue.WAITING_MAX, PROMISE, () -> "%s is about to offer %d".formatted(life, offered));
        Violation.unless(load.running() <= geometry.sequencesMax(), PROMISE, () -> life + " runs " + load);
        Violation.unless(load.waiting() <= waitingMax, PROMISE, () -> life + " lets wait " + load);
    }
}
