package dev.kvasir.router.placement;

import java.util.List;

/** The workers as a router sees them at one moment. */
public record ClusterView(List<WorkerView> workers) {
    public ClusterView {
        workers = List.copyOf(workers);
    }

    /**
     * One worker.
     *
     * @param model served model name
     * @param tokens still to be computed, as last reported, and for requests sent since
     * @param requests running, waiting, and sent since
     */
    public record WorkerView(
            WorkerId id,
            String model,
            int maxModelLength,
            long tokens,
            int requests,
            int freeBlocks,
            int totalBlocks,
            boolean draining) {}
}
