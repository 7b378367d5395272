package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.device.CublasLt;
import dev.kvasir.worker.device.Gpu;
import dev.kvasir.worker.kernel.Activation;
import dev.kvasir.worker.kernel.cuda.ProductWays.Operands;
import dev.kvasir.worker.kernel.cuda.ProductWays.Way;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Matrix products, of deterministic ones all numbers of rows by one algorithm of cuBLASLt that adds in one order.
 * Otherwise which way a shape takes is measured before the first request: for each batch size that steps are recorded for,
 * and for some numbers of rows up to the largest; prompts of other lengths take the way of the next larger one measured.
 * What was never measured takes our own kernel where there is one, else what the library's heuristic likes best.
 */
final class Products {
    private static final Logger LOG = LoggerFactory.getLogger(Products.class);

    /** Shapes that are remembered; prompts come in all lengths. */
    private static final int CHOICES_MAX = 8192;

    private static final int ALIGNMENT = 16;

    /** What the algorithm of deterministic products is chosen for. */
    private static final int SAME_ROWS = 64;

    private static final int[] LARGE_ROWS = {
        320, 384, 512, 640, 768, 1024, 1280, 1536, 2048, 2560, 3072, 4096, 5120, 6144, 8192, 12_288, 16_384
    };

    private final Gpu gpu;
    private final ProductWays ways;
    private final boolean deterministic;
    private final ElementOperation elements;
    private final ProductTimer timer;
    private final Map<Key, Way> chosen = new HashMap<>();
    /** By shape without rows and strides, which hardly matter: what was measured, by rows. */
    private final Map<CublasLt.Shape, TreeMap<Integer, Way>> measured = new HashMap<>();

    /** By the shape of a gate: whether gate, up and activation come from one kernel, where that was measured. */
    private final Map<CublasLt.Shape, Boolean> gatedAtOnce = new HashMap<>();

    private final Map<Key, Operands> seen = new LinkedHashMap<>();
    private boolean measuring;

    /** @param aligned whether all operands begin at multiples of what the fastest kernels ask for */
    private record Key(CublasLt.Shape shape, boolean aligned) {
        Key withRows(int rows) {
            return new Key(shape.withRows(rows), aligned);
        }
    }

    Products(Gpu gpu, ProductWays ways, ElementOperation elements, boolean deterministic) {
        this.gpu = gpu;
        this.ways = ways;
        this.elements = elements;
        this.deterministic = deterministic;
        this.timer = new ProductTimer(gpu, ways, elements);
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
        long biasAddress = bias == null ? 0 : bias.address();
        var key = new Key(shape, (out.address() | in.address() | weight.address()) % ALIGNMENT == 0);
        var way = chosen.get(key);
        if (way == null) {
            var operands = new Operands(
                    out.address(), in, weight.address(), biasAddress, Math.min(in.rowsMax(), out.rowsMax()));
            way = find(key, operands);
        }
        ways.run(way, shape, out.address(), in.address(), weight.address(), biasAddress);
    }

    /**
     * out = activation(gate) * up by one kernel, where the first half of the weight's rows makes the gate and the second up.
     *
     * @param whole room for gate and up side by side
     * @param out room for the result, which may be that of the first
     * @return false where the product and a gate after it are faster, or nothing else can do it; nothing was done then
     */
    boolean gated(CudaMatrix out, CudaMatrix whole, CudaMatrix in, int rows, CudaWeight weight, Activation activation) {
        if (deterministic) {
            return false;
        }
        int half = weight.rows() / 2;
        var shape = new CublasLt.Shape(
                rows,
                half,
                weight.columns(),
                in.stride(),
                out.stride(),
                type(in.type()),
                type(out.type()),
                false,
                false);
        var operands = new Operands(out.address(), in, weight.address(), 0, rows);
        var known = gatedAtOnce.get(shape);
        boolean atOnce = known != null ? known : ways.gates(shape, operands);
        if (known == null && atOnce && measuring) {
            run(whole, in, rows, weight, null, false);
            atOnce = timer.firstIsFaster(operands, rows, () -> ways.gated(shape, operands, activation), () -> {
                run(whole, in, rows, weight, null, false);
                elements.gate(whole.view(0, half), whole.view(half, half), rows, activation);
            });
            gatedAtOnce.put(shape, atOnce);
        }
        if (atOnce) {
            ways.gated(shape, operands, activation);
        }
        return atOnce;
    }

    /** From now on exchanges that go on with a norm are taken to come before products. */
    void followExchanges() {
        timer.followExchanges();
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

    private Way find(Key key, Operands operands) {
        var shape = key.shape();
        if (chosen.size() >= CHOICES_MAX) {
            gpu.stream().synchronize();
            chosen.forEach((other, way) -> {
                if (!isMeasured(other.shape())) {
                    ways.release(way);
                }
            });
            chosen.keySet().removeIf(other -> !isMeasured(other.shape()));
        }
        if (measuring && !deterministic) {
            seen.putIfAbsent(key.withRows(0), operands);
            return measure(key, operands);
        }
        var way = deterministic ? same(shape, operands) : likeMeasured(shape, operands);
        if (way == null) {
            way = ways.likely(shape, operands);
        }
        chosen.put(key, way);
        return way;
    }

    /** The one algorithm for all numbers of rows; tiles are alike whatever is in their other rows. */
    private Way same(CublasLt.Shape shape, Operands operands) {
        var byRows = measured.computeIfAbsent(family(shape), _ -> new TreeMap<>());
        if (byRows.isEmpty()) {
            byRows.put(SAME_ROWS, ways.inOneOrder(shape.withRows(SAME_ROWS)));
        }
        var way = ways.like(byRows.firstEntry().getValue(), shape, operands);
        if (way == null) {
            throw new IllegalStateException("no algorithm of cuBLASLt computes both %s and %d rows of it in one order"
                    .formatted(shape, SAME_ROWS));
        }
        return way;
    }

    private Way measure(Key key, Operands operands) {
        var known = chosen.get(key);
        if (known != null) {
            return known;
        }
        var shape = key.shape();
        var best = timer.best(shape, operands);
        chosen.put(key, best);
        measured.computeIfAbsent(family(shape), _ -> new TreeMap<>()).put(shape.rows(), best);
        return best;
    }

    private static CublasLt.Shape family(CublasLt.Shape shape) {
        return new CublasLt.Shape(
                0,
                shape.outputs(),
                shape.inputs(),
                0,
                0,
                shape.type(),
                shape.outType(),
                shape.accumulate(),
                shape.biased());
    }

    private boolean isMeasured(CublasLt.Shape shape) {
        var byRows = measured.get(family(shape));
        return byRows != null && byRows.containsKey(shape.rows());
    }

    /** As the next larger number of rows, where that way can do it. */
    private @Nullable Way likeMeasured(CublasLt.Shape shape, Operands operands) {
        var byRows = measured.get(family(shape));
        var next = byRows == null ? null : byRows.ceilingEntry(shape.rows());
        return next == null ? null : ways.like(next.getValue(), shape, operands);
    }

    static CublasLt.Type type(DType type) {
        return switch (type) {
            case F32 -> CublasLt.Type.F32;
            case F16 -> CublasLt.Type.F16;
            case BF16 -> CublasLt.Type.BF16;
        };
    }
}
