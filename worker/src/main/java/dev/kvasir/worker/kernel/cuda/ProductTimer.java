package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.worker.device.CublasLt;
import dev.kvasir.worker.device.CudaFailure;
import dev.kvasir.worker.device.Event;
import dev.kvasir.worker.device.Gpu;
import dev.kvasir.worker.kernel.cuda.ProductWays.Operands;
import dev.kvasir.worker.kernel.cuda.ProductWays.Way;

/**
 * Finds the fastest of several ways to compute a product, with operands that are not in the device's cache, and after a small
 * kernel that touches the input, as norms and gates do in a step: some ways begin while it runs.
 */
final class ProductTimer {
    private static final int CANDIDATES = 8;
    private static final int REPEATS = 3;
    /** What takes less differs by noise: the heuristic's order then counts. */
    private static final float CLEARLY = 0.985f;
    /**
     * Where an exchange with its norm comes before, which takes longer than the small kernel here, our own kernel has read more
     * of the weight when the input is there: what of its time counts then, with few rows.
     */
    private static final float BEGUN_IN_EXCHANGE = 0.8f;

    private static final int BEGUN_ROWS_MAX = 64;

    private final ProductWays ways;
    private final ElementOperation elements;
    private final Gpu gpu;
    private final Event start;
    private final Event end;
    private int shapes;
    private int improved;
    private int own;
    private boolean followsExchanges;
    private double heuristicMillis;
    private double bestMillis;

    ProductTimer(Gpu gpu, ProductWays ways, ElementOperation elements) {
        this.gpu = gpu;
        this.ways = ways;
        this.elements = elements;
        start = gpu.event();
        end = gpu.event();
    }

    /** From now on products are taken to come after exchanges that go on with a norm. */
    void followExchanges() {
        followsExchanges = true;
    }

    /** Runs all candidates on the operands, whose output is undefined afterwards. */
    Way best(CublasLt.Shape shape, Operands operands) {
        var candidates = ways.candidates(shape, operands, CANDIDATES);
        if (candidates.size() == 1) {
            return candidates.getFirst();
        }
        Way best = candidates.getFirst();
        float first = millis(best, shape, operands);
        float least = first;
        for (var candidate : candidates.subList(1, candidates.size())) {
            float millis = millis(candidate, shape, operands);
            boolean begun = followsExchanges && candidate instanceof Way.Own && shape.rows() <= BEGUN_ROWS_MAX;
            if (millis * (begun ? BEGUN_IN_EXCHANGE : 1) < least * CLEARLY) {
                least = millis;
                best = candidate;
            }
        }
        shapes++;
        improved += least < first ? 1 : 0;
        own += best instanceof Way.Own ? 1 : 0;
        heuristicMillis += first;
        bestMillis += least;
        return best;
    }

    /** What measuring has brought, for people. */
    String summary() {
        return "%d shapes of products measured, %d take another way than the library's first choice, %d of them our own kernel; %.1f ms instead of %.1f"
                .formatted(shapes, improved, own, bestMillis, heuristicMillis);
    }

    /** Whether the first takes less time than the second; both read the operands' input, and any output may be undefined. */
    boolean firstIsFaster(Operands operands, int rows, Runnable first, Runnable second) {
        return millis(operands.in(), rows, first) < millis(operands.in(), rows, second);
    }

    private float millis(Way way, CublasLt.Shape shape, Operands operands) {
        try {
            return millis(operands.in(), shape.rows(), () -> run(way, shape, operands));
        } catch (CudaFailure _) {
            return Float.POSITIVE_INFINITY; // The heuristic was wrong: this one cannot do it.
        }
    }

    private float millis(CudaMatrix in, int rows, Runnable product) {
        product.run();
        float least = Float.POSITIVE_INFINITY;
        for (int i = 0; i < REPEATS; i++) {
            ways.cool();
            start.record(gpu.stream());
            elements.scale(in, rows, 1, 0);
            product.run();
            end.record(gpu.stream());
            end.synchronize();
            least = Math.min(least, end.millisSince(start));
        }
        return least;
    }

    private void run(Way way, CublasLt.Shape shape, Operands operands) {
        ways.run(way, shape, operands.out(), operands.in().address(), operands.weight(), operands.bias());
    }
}
