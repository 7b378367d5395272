package dev.kvasir.worker.device;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The part of cuBLASLt that matrix products need, by the foreign-function API: it exists in CUDA 12 and 13 under the same
 * names, where JCuda's own binding is tied to one. Row-major operands are handed over as their transposes, which is what
 * column-major ones are.
 */
public final class CublasLt implements AutoCloseable {
    private static final List<String> NAMES = List.of("libcublasLt.so.13", "libcublasLt.so.12");

    private static final int COMPUTE_32F = 68;
    private static final int REAL_32F = 0;
    private static final int OPERATION_TRANSPOSED = 1;
    private static final int DESCRIPTION_TRANSPOSE_A = 3;
    private static final int DESCRIPTION_EPILOGUE = 7;
    private static final int DESCRIPTION_BIAS = 8;
    private static final int EPILOGUE_BIAS = 4;
    private static final int PREFERENCE_WORKSPACE_BYTES = 1;
    private static final int PREFERENCE_REDUCTION_SCHEMES = 3;
    /** In place and in the type of sums: never in that of outputs, which would round in between. */
    private static final int EXACT_REDUCTIONS = 3;

    private static final int NO_REDUCTIONS = 0;

    private static final int PREFERENCE_ALIGNMENT_A = 5;
    private static final int RESULT_BYTES = 96;
    private static final int RESULT_WORKSPACE_OFFSET = 64;
    private static final int RESULT_STATE_OFFSET = 72;
    private static final int ALGORITHM_BYTES = 64;

    private final String library;
    private final Arena arena = Arena.ofShared();
    private final MethodHandle descriptionCreate;
    private final MethodHandle descriptionDestroy;
    private final MethodHandle descriptionSet;
    private final MethodHandle layoutCreate;
    private final MethodHandle layoutDestroy;
    private final MethodHandle preferenceCreate;
    private final MethodHandle preferenceSet;
    private final MethodHandle preferenceDestroy;
    private final MethodHandle heuristic;
    private final MethodHandle check;
    private final MethodHandle multiply;
    private final MethodHandle destroy;
    private final MethodHandle statusName;
    private final long handle;
    private final MemorySegment one = arena.allocateFrom(JAVA_FLOAT, 1f);
    private final MemorySegment zero = arena.allocateFrom(JAVA_FLOAT, 0f);
    private final MemorySegment pointer = arena.allocate(ADDRESS);
    private final MemorySegment workspace;

    /** Element types, as cuBLASLt numbers them. */
    public enum Type {
        F32(REAL_32F),
        F16(2),
        BF16(14);

        private final int number;

        Type(int number) {
            this.number = number;
        }
    }

    private CublasLt(NativeLibrary found, long workspaceAddress, long workspaceBytes) {
        library = found.name();
        descriptionCreate = function(found, "cublasLtMatmulDescCreate", ADDRESS, JAVA_INT, JAVA_INT);
        descriptionDestroy = function(found, "cublasLtMatmulDescDestroy", JAVA_LONG);
        descriptionSet = function(found, "cublasLtMatmulDescSetAttribute", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG);
        layoutCreate =
                function(found, "cublasLtMatrixLayoutCreate", ADDRESS, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG);
        layoutDestroy = function(found, "cublasLtMatrixLayoutDestroy", JAVA_LONG);
        preferenceCreate = function(found, "cublasLtMatmulPreferenceCreate", ADDRESS);
        preferenceSet =
                function(found, "cublasLtMatmulPreferenceSetAttribute", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG);
        preferenceDestroy = function(found, "cublasLtMatmulPreferenceDestroy", JAVA_LONG);
        heuristic = function(
                found,
                "cublasLtMatmulAlgoGetHeuristic",
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_INT,
                ADDRESS,
                ADDRESS);
        check = function(
                found,
                "cublasLtMatmulAlgoCheck",
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                ADDRESS,
                ADDRESS);
        multiply = function(
                found,
                "cublasLtMatmul",
                JAVA_LONG,
                JAVA_LONG,
                ADDRESS,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                ADDRESS,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                ADDRESS,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG);
        destroy = function(found, "cublasLtDestroy", JAVA_LONG);
        statusName = found.function("cublasLtGetStatusName", FunctionDescriptor.of(ADDRESS, JAVA_INT));
        var create = function(found, "cublasLtCreate", ADDRESS);
        call("cublasLtCreate", create, pointer);
        handle = pointer.get(JAVA_LONG, 0);
        workspace = MemorySegment.ofAddress(workspaceAddress).reinterpret(workspaceBytes);
    }

    private static MethodHandle function(NativeLibrary library, String name, MemoryLayout... parameters) {
        return library.function(name, FunctionDescriptor.of(JAVA_INT, parameters));
    }

    /**
     * Finds and opens the library; a context must be current.
     *
     * @param override folders to look into first, separated by colons
     * @param workspaceAddress device memory that products may use while they run
     */
    public static CublasLt open(String override, long workspaceAddress, long workspaceBytes) throws IOException {
        return new CublasLt(NativeLibrary.load(NAMES, override), workspaceAddress, workspaceBytes);
    }

    /** What is missing to open it; empty where nothing is. */
    public static Optional<String> missing(String override) {
        try {
            NativeLibrary.load(NAMES, override);
            return Optional.empty();
        } catch (IOException e) {
            return Optional.of(String.valueOf(e.getMessage()));
        }
    }

    /** Where it was found. */
    public String library() {
        return library;
    }

    /**
     * Shape of a product: out[rows, outputs] = in[rows, inputs] . weight[outputs, inputs]^T, rows so many elements apart.
     *
     * @param accumulate adds to what is in out
     * @param biased adds a vector of so many outputs to every row
     */
    public record Shape(
            int rows,
            int outputs,
            int inputs,
            int inStride,
            int outStride,
            Type type,
            Type outType,
            boolean accumulate,
            boolean biased) {
        /** The same with another number of rows. */
        public Shape withRows(int count) {
            return new Shape(count, outputs, inputs, inStride, outStride, type, outType, accumulate, biased);
        }
    }

    /** A product that is ready to run, with one of the library's algorithms. */
    public static final class Plan {
        private final Operation operation;
        private final MemorySegment algorithm;

        private Plan(Operation operation, MemorySegment algorithm) {
            this.operation = operation;
            this.algorithm = algorithm;
        }

        public Shape shape() {
            return operation.shape();
        }
    }

    /** The algorithms that the library's heuristic likes for a shape, best first; at most {@code count}. */
    public List<Plan> plans(Shape shape, int count) {
        return plans(shape, count, EXACT_REDUCTIONS);
    }

    /** The same of algorithms that add the products of an output element one after the other, in no parts. */
    public List<Plan> plansInOneOrder(Shape shape, int count) {
        return plans(shape, count, NO_REDUCTIONS);
    }

    private List<Plan> plans(Shape shape, int count, int reductions) {
        try (var scratch = Arena.ofConfined()) {
            var operation = describe(scratch, shape);
            return results(scratch, operation, count, reductions).stream()
                    .map(algorithm -> new Plan(operation, algorithm))
                    .toList();
        }
    }

    /** A plan for a shape with another plan's algorithm; null where it cannot do that shape. */
    public @Nullable Plan planLike(Shape shape, Plan other) {
        try (var scratch = Arena.ofConfined()) {
            var operation = describe(scratch, shape);
            var result = scratch.allocate(RESULT_BYTES, 8);
            int status = invoke(
                    check,
                    handle,
                    operation.description(),
                    operation.weight(),
                    operation.in(),
                    operation.out(),
                    operation.out(),
                    other.algorithm,
                    result);
            if (status == 0 && result.get(JAVA_LONG, RESULT_WORKSPACE_OFFSET) <= workspace.byteSize()) {
                return new Plan(operation, other.algorithm);
            }
            release(operation);
            return null;
        }
    }

    /** What the library is told of a shape. */
    private record Operation(Shape shape, long description, long weight, long in, long out) {}

    private Operation describe(Arena scratch, Shape shape) {
        long description = create("cublasLtMatmulDescCreate", descriptionCreate, COMPUTE_32F, REAL_32F);
        set(scratch, description, DESCRIPTION_TRANSPOSE_A, OPERATION_TRANSPOSED);
        if (shape.biased()) {
            set(scratch, description, DESCRIPTION_EPILOGUE, EPILOGUE_BIAS);
        }
        return new Operation(
                shape,
                description,
                layout(shape.type(), shape.inputs(), shape.outputs(), shape.inputs()),
                layout(shape.type(), shape.inputs(), shape.rows(), shape.inStride()),
                layout(shape.outType(), shape.outputs(), shape.rows(), shape.outStride()));
    }

    private List<MemorySegment> results(Arena scratch, Operation operation, int count, int reductions) {
        long preference = create("cublasLtMatmulPreferenceCreate", preferenceCreate);
        try {
            call(
                    "cublasLtMatmulPreferenceSetAttribute",
                    preferenceSet,
                    preference,
                    PREFERENCE_WORKSPACE_BYTES,
                    scratch.allocateFrom(JAVA_LONG, workspace.byteSize()),
                    8L);
            call(
                    "cublasLtMatmulPreferenceSetAttribute",
                    preferenceSet,
                    preference,
                    PREFERENCE_REDUCTION_SCHEMES,
                    scratch.allocateFrom(JAVA_INT, reductions),
                    4L);
            // Matrices that are views into wider ones begin at any multiple of their element size.
            for (int operand = 0; operand < 4; operand++) {
                call(
                        "cublasLtMatmulPreferenceSetAttribute",
                        preferenceSet,
                        preference,
                        PREFERENCE_ALIGNMENT_A + operand,
                        scratch.allocateFrom(JAVA_INT, 16),
                        4L);
            }
            var found = scratch.allocate((long) RESULT_BYTES * count, 8);
            var foundCount = scratch.allocate(JAVA_INT);
            int status = invoke(
                    heuristic,
                    handle,
                    operation.description(),
                    operation.weight(),
                    operation.in(),
                    operation.out(),
                    operation.out(),
                    preference,
                    count,
                    found,
                    foundCount);
            int size = status == 0 ? foundCount.get(JAVA_INT, 0) : 0;
            var algorithms = new ArrayList<MemorySegment>();
            for (int i = 0; i < size; i++) {
                if (found.get(JAVA_INT, (long) i * RESULT_BYTES + RESULT_STATE_OFFSET) == 0) {
                    var algorithm = arena.allocate(ALGORITHM_BYTES, 8);
                    MemorySegment.copy(found, (long) i * RESULT_BYTES, algorithm, 0, ALGORITHM_BYTES);
                    algorithms.add(algorithm);
                }
            }
            if (algorithms.isEmpty()) {
                throw failure("cublasLtMatmulAlgoGetHeuristic of " + operation.shape(), status);
            }
            return algorithms;
        } finally {
            invoke(preferenceDestroy, preference);
        }
    }

    private void set(Arena scratch, long description, int attribute, int value) {
        call(
                "cublasLtMatmulDescSetAttribute",
                descriptionSet,
                description,
                attribute,
                scratch.allocateFrom(JAVA_INT, value),
                4L);
    }

    private long layout(Type type, int rows, int columns, int leading) {
        return create(
                "cublasLtMatrixLayoutCreate", layoutCreate, type.number, (long) rows, (long) columns, (long) leading);
    }

    private long create(String name, MethodHandle function, Object... arguments) {
        var all = new Object[arguments.length + 1];
        all[0] = pointer;
        System.arraycopy(arguments, 0, all, 1, arguments.length);
        call(name, function, all);
        return pointer.get(JAVA_LONG, 0);
    }

    /** Issues a product; addresses are on the device, {@code bias} is 0 where the shape has none. */
    public void run(Plan plan, long out, long in, long weight, long bias, Stream stream) {
        var operation = plan.operation;
        if (operation.shape().biased()) {
            pointer.set(JAVA_LONG, 0, bias);
            call(
                    "cublasLtMatmulDescSetAttribute",
                    descriptionSet,
                    operation.description(),
                    DESCRIPTION_BIAS,
                    pointer,
                    8L);
        }
        MemorySegment beta = operation.shape().accumulate() ? one : zero;
        int status;
        try {
            status = (int) multiply.invokeExact(
                    handle,
                    operation.description(),
                    one,
                    weight,
                    operation.weight(),
                    in,
                    operation.in(),
                    beta,
                    out,
                    operation.out(),
                    out,
                    operation.out(),
                    plan.algorithm,
                    workspace.address(),
                    workspace.byteSize(),
                    stream.address());
        } catch (Throwable e) {
            throw new IllegalStateException("cublasLtMatmul cannot be called", e);
        }
        if (status != 0) {
            throw failure("cublasLtMatmul of " + operation.shape(), status);
        }
    }

    /** Forgets plans of one shape, which share their descriptions. */
    public void release(Plan plan) {
        release(plan.operation);
    }

    private void release(Operation operation) {
        invoke(layoutDestroy, operation.weight());
        invoke(layoutDestroy, operation.in());
        invoke(layoutDestroy, operation.out());
        invoke(descriptionDestroy, operation.description());
    }

    /** Writes to all of the workspace: what was in the device's cache is there no more. */
    public void overwriteWorkspace(Stream stream) {
        stream.clear(workspace.address(), workspace.byteSize());
    }

    private void call(String name, MethodHandle function, Object... arguments) {
        int status = invoke(function, arguments);
        if (status != 0) {
            throw failure(name, status);
        }
    }

    private static int invoke(MethodHandle function, Object... arguments) {
        try {
            return (int) function.invokeWithArguments(arguments);
        } catch (Throwable e) {
            throw new IllegalStateException("cuBLASLt cannot be called", e);
        }
    }

    private CudaFailure failure(String call, int status) {
        try {
            var name = (MemorySegment) statusName.invokeExact(status);
            return new CudaFailure(call, status, name.reinterpret(256).getString(0), library);
        } catch (Throwable _) {
            return new CudaFailure(call, status, "unknown status", library);
        }
    }

    @Override
    public void close() {
        invoke(destroy, handle);
        arena.close();
    }
}
