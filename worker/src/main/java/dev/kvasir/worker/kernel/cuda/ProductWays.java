package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.worker.device.CublasLt;
import dev.kvasir.worker.device.Gpu;
import dev.kvasir.worker.kernel.Activation;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The ways to compute a product: algorithms of cuBLASLt, and a kernel of our own for some rows on Hopper. */
final class ProductWays {
    private final Gpu gpu;
    private final CublasLt library;
    private final @Nullable WarpgroupMultiply own;

    /** A way to compute products of one shape. */
    sealed interface Way {
        /** By an algorithm of cuBLASLt. */
        record Library(CublasLt.Plan plan) implements Way {}

        /** By {@link WarpgroupMultiply}. */
        record Own() implements Way {}
    }

    /**
     * One product's operands.
     *
     * @param bias 0 where there is none
     * @param rowsMax that input and output have room for
     */
    record Operands(long out, CudaMatrix in, long weight, long bias, int rowsMax) {}

    /** @param own null where the GPU cannot run it */
    ProductWays(Gpu gpu, CublasLt library, @Nullable WarpgroupMultiply own) {
        this.gpu = gpu;
        this.library = library;
        this.own = own;
    }

    /** All ways that may be fast, the library's choice first. */
    List<Way> candidates(CublasLt.Shape shape, Operands operands, int libraryCount) {
        var ways = new ArrayList<Way>();
        library.plans(shape, libraryCount).forEach(plan -> ways.add(new Way.Library(plan)));
        if (ownTakes(shape, operands)) {
            ways.add(new Way.Own());
        }
        return ways;
    }

    /** Without measuring: our own where there is one. */
    Way likely(CublasLt.Shape shape, Operands operands) {
        return ownTakes(shape, operands)
                ? new Way.Own()
                : new Way.Library(library.plans(shape, 1).getFirst());
    }

    /** A way that adds the products of an output element one after the other. */
    Way inOneOrder(CublasLt.Shape shape) {
        return new Way.Library(library.plansInOneOrder(shape, 1).getFirst());
    }

    /** What was best for more rows; null where it cannot do these. */
    @Nullable
    Way like(Way other, CublasLt.Shape shape, Operands operands) {
        return switch (other) {
            case Way.Library(var plan) -> {
                var like = library.planLike(shape, plan);
                yield like == null ? null : new Way.Library(like);
            }
            case Way.Own way -> ownTakes(shape, operands) ? way : null;
        };
    }

    private boolean ownTakes(CublasLt.Shape shape, Operands operands) {
        return own != null && own.takes(shape, operands.out(), operands.in().address(), operands.weight());
    }

    /** Whether our own kernel can apply the activation to gates that it computes itself. */
    boolean gates(CublasLt.Shape shape, Operands operands) {
        return ownTakes(shape, operands);
    }

    /** out = activation(gate) * up by our own kernel; the shape is that of one of them. */
    void gated(CublasLt.Shape shape, Operands operands, Activation activation) {
        if (own == null) {
            throw new IllegalStateException("no kernel of our own for " + shape);
        }
        own.gated(shape, operands.out(), operands.in().address(), operands.weight(), activation);
    }

    void run(Way way, CublasLt.Shape shape, long out, long in, long weight, long bias) {
        switch (way) {
            case Way.Library(var plan) -> library.run(plan, out, in, weight, bias, gpu.stream());
            case Way.Own() -> {
                if (own == null) {
                    throw new IllegalStateException("no kernel of our own for " + shape);
                }
                own.run(shape, out, in, weight, bias);
            }
        }
    }

    /** Forgets what was prepared for one shape. */
    void release(Way way) {
        if (way instanceof Way.Library(var plan)) {
            library.release(plan);
        }
    }

    /** Takes what was there before out of the device's cache. */
    void cool() {
        library.overwriteWorkspace(gpu.stream());
    }
}
