package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.worker.device.CublasLt;
import dev.kvasir.worker.device.CudaFailure;
import dev.kvasir.worker.device.Event;
import dev.kvasir.worker.device.Gpu;

/** Finds the fastest of several algorithms for a product, with operands that are not in the device's cache. */
final class ProductTimer {
    private static final int CANDIDATES = 8;
    private static final int REPEATS = 3;
    /** What takes less differs by noise: the heuristic's order then counts. */
    private static final float CLEARLY = 0.985f;

    private final Gpu gpu;
    private final CublasLt library;
    private final Event start;
    private final Event end;
    private int shapes;
    private int improved;
    private double heuristicMillis;
    private double bestMillis;

    ProductTimer(Gpu gpu, CublasLt library) {
        this.gpu = gpu;
        this.library = library;
        start = gpu.event();
        end = gpu.event();
    }

    /** Runs all candidates on the operands, whose output is undefined afterwards. */
    CublasLt.Plan best(CublasLt.Shape shape, Products.Operands operands) {
        var candidates = library.plans(shape, CANDIDATES);
        if (candidates.size() == 1) {
            return candidates.getFirst();
        }
        CublasLt.Plan best = candidates.getFirst();
        float first = millis(best, operands);
        float least = first;
        for (var candidate : candidates.subList(1, candidates.size())) {
            float millis = millis(candidate, operands);
            if (millis < least * CLEARLY) {
                least = millis;
                best = candidate;
            }
        }
        shapes++;
        improved += least < first ? 1 : 0;
        heuristicMillis += first;
        bestMillis += least;
        return best;
    }

    /** What measuring has brought, for people. */
    String summary() {
        return "%d shapes of products measured, %d take another algorithm than the library's first choice; %.1f ms instead of %.1f"
                .formatted(shapes, improved, bestMillis, heuristicMillis);
    }

    private float millis(CublasLt.Plan plan, Products.Operands operands) {
        try {
            run(plan, operands);
        } catch (CudaFailure _) {
            return Float.POSITIVE_INFINITY; // The heuristic was wrong: this one cannot do it.
        }
        float least = Float.POSITIVE_INFINITY;
        for (int i = 0; i < REPEATS; i++) {
            library.overwriteWorkspace(gpu.stream());
            start.record(gpu.stream());
            run(plan, operands);
            end.record(gpu.stream());
            end.synchronize();
            least = Math.min(least, end.millisSince(start));
        }
        return least;
    }

    private void run(CublasLt.Plan plan, Products.Operands operands) {
        library.run(plan, operands.out(), operands.in(), operands.weight(), operands.bias(), gpu.stream());
    }
}
