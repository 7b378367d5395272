package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.device.CublasLt;
import dev.kvasir.worker.device.Stream;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Matrix products by cuBLASLt, with the algorithm its heuristic likes best for a shape, remembered. */
final class Products {
    /** Shapes that are remembered; prompts come in all lengths. */
    private static final int PLANS_MAX = 8192;

    private final CublasLt library;
    private final Stream stream;
    private final Map<CublasLt.Shape, CublasLt.Plan> plans = new HashMap<>();

    Products(CublasLt library, Stream stream) {
        this.library = library;
        this.stream = stream;
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
            plan = find(shape);
        }
        library.run(plan, out.address(), in.address(), weight.address(), bias == null ? 0 : bias.address(), stream);
    }

    private CublasLt.Plan find(CublasLt.Shape shape) {
        if (plans.size() >= PLANS_MAX) {
            stream.synchronize();
            plans.values().forEach(library::release);
            plans.clear();
        }
        var plan = library.plans(shape, 1).getFirst();
        plans.put(shape, plan);
        return plan;
    }

    static CublasLt.Type type(DType type) {
        return switch (type) {
            case F32 -> CublasLt.Type.F32;
            case F16 -> CublasLt.Type.F16;
            case BF16 -> CublasLt.Type.BF16;
        };
    }
}
