package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.device.CublasLt;
import dev.kvasir.worker.device.Gpu;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Matrix products by cuBLASLt, of deterministic ones all numbers of rows by one algorithm that adds in one order.
 * Otherwise the algorithm is measured. Which of its algorithms a shape takes is measured before the first request: for each batch
 * size that steps are recorded for, and for some numbers of rows up to the largest; prompts of other lengths take the
 * algorithm of the next larger one measured. What was never measured takes what the library's heuristic likes best.
 */
final class Products {
    private static final Logger LOG = LoggerFactory.getLogger(Products.class);

    /** Shapes that are remembered; prompts come in all lengths. */
    private static final int PLANS_MAX = 8192;

    /** What the algorithm of deterministic products is chosen for. */
    private static final int SAME_ROWS = 64;

    private static final int[] LARGE_ROWS = {
        320, 384, 512, 640, 768, 1024, 1280, 1536, 2048, 2560, 3072, 4096, 5120, 6144, 8192, 12_288, 16_384
    };

    private final Gpu gpu;
    private final CublasLt library;
    private final boolean deterministic;
    private final ProductTimer timer;
    private final Map<CublasLt.Shape, CublasLt.Plan> plans = new HashMap<>();
    /** By shape without rows: what was measured, by rows. */
    private final Map<CublasLt.Shape, TreeMap<Integer, CublasLt.Plan>> measured = new HashMap<>();

    private final Map<CublasLt.Shape, Operands> seen = new LinkedHashMap<>();
    private boolean measuring;

    /**
     * One product's addresses.
     *
     * @param rowsMax that input and output have room for
     */
    record Operands(long out, long in, long weight, long bias, int rowsMax) {}

    Products(Gpu gpu, CublasLt library, boolean deterministic) {
        this.gpu = gpu;
        this.deterministic = deterministic;
        this.library = library;
        this.timer = new ProductTimer(gpu, library);
    }

    void run(
            CudaMatrix out, CudaMatrix in, int rows, CudaWeight weight, @Nullable CudaWeight bias, boolean accumulate) {
        var shape = new CublasLt.Shape(
                rows,
                weight.rows(),
                weight.columns(),
                in.stride(),
                out.stride(),
                type(in.type()),
                type(out.type()),
                accumulate,
                bias != null);
        var plan = plans.get(shape);
        if (plan == null) {
            var operands = new Operands(
                    out.address(),
                    in.address(),
                    weight.address(),
                    bias == null ? 0 : bias.address(),
                    Math.min(in.rowsMax(), out.rowsMax()));
            plan = find(shape, operands);
        }
        library.run(
                plan, out.address(), in.address(), weight.address(), bias == null ? 0 : bias.address(), gpu.stream());
    }

    /** Whether shapes that come for the first time are measured, which runs them several times. */
    void measureNewShapes(boolean whether) {
        measuring = whether;
    }

    /** Measures the shapes that came while they were measured with more rows, as prompts have them. Clobbers outputs. */
    void measureLarge() {
        seen.forEach((family, operands) -> {
            for (int rows : LARGE_ROWS) {
                if (rows <= operands.rowsMax()) {
                    measure(family.withRows(rows), operands);
                }
            }
            measure(family.withRows(operands.rowsMax()), operands);
        });
        seen.clear();
        LOG.info("{}", timer.summary());
    }

    private CublasLt.Plan find(CublasLt.Shape shape, Operands operands) {
        if (plans.size() >= PLANS_MAX) {
            gpu.stream().synchronize();
            plans.values().stream().filter(plan -> !isMeasured(plan)).forEach(library::release);
            plans.values().removeIf(plan -> !isMeasured(plan));
        }
        if (deterministic) {
            var plan = same(shape);
            plans.put(shape, plan);
            return plan;
        }
        if (measuring) {
            seen.putIfAbsent(shape.withRows(0), operands);
            return measure(shape, operands);
        }
        var plan = likeMeasured(shape);
        if (plan == null) {
            plan = library.plans(shape, 1).getFirst();
        }
        plans.put(shape, plan);
        return plan;
    }

    /** The one algorithm for all numbers of rows; tiles are alike whatever is in their other rows. */
    private CublasLt.Plan same(CublasLt.Shape shape) {
        var byRows = measured.computeIfAbsent(shape.withRows(0), _ -> new TreeMap<>());
        if (byRows.isEmpty()) {
            byRows.put(
                    SAME_ROWS,
                    library.plansInOneOrder(shape.withRows(SAME_ROWS), 1).getFirst());
        }
        var plan = library.planLike(shape, byRows.firstEntry().getValue());
        if (plan == null) {
            throw new IllegalStateException("no algorithm of cuBLASLt computes both %s and %d rows of it in one order"
                    .formatted(shape, SAME_ROWS));
        }
        return plan;
    }

    private CublasLt.Plan measure(CublasLt.Shape shape, Operands operands) {
        var known = plans.get(shape);
        if (known != null) {
            return known;
        }
        var best = timer.best(shape, operands);
        plans.put(shape, best);
        measured.computeIfAbsent(shape.withRows(0), _ -> new TreeMap<>()).put(shape.rows(), best);
        return best;
    }

    private boolean isMeasured(CublasLt.Plan plan) {
        var byRows = measured.get(plan.shape().withRows(0));
        return byRows != null && byRows.containsKey(plan.shape().rows());
    }

    /** With the algorithm of the next larger number of rows, where that one can do it. */
    private CublasLt.@Nullable Plan likeMeasured(CublasLt.Shape shape) {
        var byRows = measured.get(shape.withRows(0));
        var next = byRows == null ? null : byRows.ceilingEntry(shape.rows());
        return next == null ? null : library.planLike(shape, next.getValue());
    }

    static CublasLt.Type type(DType type) {
        return switch (type) {
            case F32 -> CublasLt.Type.F32;
            case F16 -> CublasLt.Type.F16;
            case BF16 -> CublasLt.Type.BF16;
        };
    }
}
