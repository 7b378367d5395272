package dev.kvasir.worker.kernel.cpu;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/**
 * The functions of oneDNN's C interface that are used here, called without a wrapper library. The library stays loaded
 * for the life of the process.
 *
 * <p>It is told to use one thread per call: calls come from {@link WorkerThreads}, each with its share of a product, so
 * there is one set of threads in the process and none that spins beside another.
 */
final class Onednn {
    static final int BF16 = 2;
    static final int F32 = 3;
    static final int ARGUMENT_SOURCE = 1;
    static final int ARGUMENT_DESTINATION = 17;
    static final int ARGUMENT_WEIGHTS = 33;
    static final int ARGUMENT_SCRATCHPAD = 80;

    private static final int ENGINE_CPU = 1;
    private static final int FORMAT_ANY = 1;
    private static final int QUERY_WEIGHTS = 131;
    private static final int QUERY_SCRATCHPAD = 136;
    private static final int SCRATCHPAD_OF_THE_CALLER = 1;
    private static final int STREAM_IN_ORDER = 1;
    private static final int ISA_AVX512_BF16 = 0xe7;

    private final SymbolLookup library;
    private final MethodHandle descriptorCreate;
    private final MethodHandle descriptorCreateAny;
    private final MethodHandle descriptorClone;
    private final MethodHandle descriptorDestroy;
    private final MethodHandle descriptorSize;
    private final MethodHandle queryDescriptor;
    private final MethodHandle reorderCreate;
    private final MethodHandle memoryCreate;
    private final MethodHandle memoryDestroy;
    private final MethodHandle memorySetAddress;
    private final MethodHandle matmulCreate;
    private final MethodHandle descriptionDestroy;
    private final MethodHandle primitiveCreate;
    private final MethodHandle primitiveExecute;
    private final MethodHandle primitiveDestroy;
    private final MethodHandle streamCreate;
    private final MethodHandle sgemm;
    private final int isa;
    private final MemorySegment attributes;
    private final MemorySegment engine;

    private Onednn(SymbolLookup library) throws Throwable {
        this.library = library;
        descriptorCreate =
                status("dnnl_memory_desc_create_with_strides", ADDRESS, JAVA_INT, ADDRESS, JAVA_INT, ADDRESS);
        descriptorCreateAny =
                status("dnnl_memory_desc_create_with_tag", ADDRESS, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT);
        descriptorClone = status("dnnl_memory_desc_clone", ADDRESS, ADDRESS);
        descriptorDestroy = status("dnnl_memory_desc_destroy", ADDRESS);
        descriptorSize = function("dnnl_memory_desc_get_size", FunctionDescriptor.of(JAVA_LONG, ADDRESS));
        queryDescriptor =
                function("dnnl_primitive_desc_query_md", FunctionDescriptor.of(ADDRESS, ADDRESS, JAVA_INT, JAVA_INT));
        reorderCreate =
                status("dnnl_reorder_primitive_desc_create", ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS);
        memoryCreate = status("dnnl_memory_create", ADDRESS, ADDRESS, ADDRESS, ADDRESS);
        memoryDestroy = status("dnnl_memory_destroy", ADDRESS);
        memorySetAddress = status("dnnl_memory_set_data_handle", ADDRESS, ADDRESS);
        matmulCreate = status(
                "dnnl_matmul_primitive_desc_create", ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS);
        descriptionDestroy = status("dnnl_primitive_desc_destroy", ADDRESS);
        primitiveCreate = status("dnnl_primitive_create", ADDRESS, ADDRESS);
        primitiveExecute = status("dnnl_primitive_execute", ADDRESS, ADDRESS, JAVA_INT, ADDRESS);
        primitiveDestroy = status("dnnl_primitive_destroy", ADDRESS);
        streamCreate = status("dnnl_stream_create", ADDRESS, ADDRESS, JAVA_INT);
        sgemm = status(
                "dnnl_sgemm",
                JAVA_BYTE,
                JAVA_BYTE,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_LONG,
                JAVA_FLOAT,
                ADDRESS,
                JAVA_LONG,
                ADDRESS,
                JAVA_LONG,
                JAVA_FLOAT,
                ADDRESS,
                JAVA_LONG);
        isa = (int) status("dnnl_get_effective_cpu_isa").invokeExact();
        attributes = attributes();
        engine = create(status("dnnl_engine_create", ADDRESS, JAVA_INT, JAVA_LONG));
    }

    /** @throws IOException with the reason, where this machine cannot run it */
    static Onednn load(Path cache) throws IOException {
        String system = System.getProperty("os.name") + " " + System.getProperty("os.arch");
        if (!system.equals("Linux amd64")) {
            throw new IOException("its libraries are for Linux amd64, this is " + system);
        }
        var files = new OnednnFiles(cache);
        // Found by the loader because they lie beside oneDNN, which is linked against both.
        files.unpacked("dnnl", "libgomp.so.1");
        files.unpacked("opencl", "libOpenCL.so.1");
        Path oneDnn = files.unpacked("dnnl", "libdnnl.so.3");
        try {
            setEnvironment("OMP_NUM_THREADS", "1");
            return new Onednn(SymbolLookup.libraryLookup(oneDnn, Arena.global()));
        } catch (IllegalArgumentException e) {
            throw new IOException("cannot load " + oneDnn + ": " + e.getMessage(), e);
        } catch (Throwable e) {
            throw new IOException("cannot start: " + e.getMessage(), e);
        }
    }

    /** Read by the OpenMP runtime when it is loaded, so before it is. */
    private static void setEnvironment(String name, String value) throws Throwable {
        var linker = Linker.nativeLinker();
        var setenv = linker.downcallHandle(
                linker.defaultLookup().find("setenv").orElseThrow(),
                FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, JAVA_INT));
        try (var arena = Arena.ofConfined()) {
            int _ = (int) setenv.invokeExact(arena.allocateFrom(name), arena.allocateFrom(value), 1);
        }
    }

    private MethodHandle status(String function, MemoryLayout... arguments) {
        return function(function, FunctionDescriptor.of(JAVA_INT, arguments));
    }

    private MethodHandle function(String function, FunctionDescriptor signature) {
        var address = library.find(function)
                .orElseThrow(() -> new IllegalStateException("no function " + function + " in the library"));
        return Linker.nativeLinker().downcallHandle(address, signature);
    }

    /** By default threads that run one primitive at a time share its working memory, and spoil it for each other. */
    private MemorySegment attributes() {
        var create = status("dnnl_primitive_attr_create", ADDRESS);
        var setScratchpadMode = status("dnnl_primitive_attr_set_scratchpad_mode", ADDRESS, JAVA_INT);
        var attributes = call(result -> (int) create.invokeExact(result), "attributes");
        run(() -> (int) setScratchpadMode.invokeExact(attributes, SCRATCHPAD_OF_THE_CALLER), "scratchpad mode");
        return attributes;
    }

    private static MemorySegment create(MethodHandle engineCreate) throws Throwable {
        try (var arena = Arena.ofConfined()) {
            var result = arena.allocate(ADDRESS);
            check((int) engineCreate.invokeExact(result, ENGINE_CPU, 0L), "engine");
            return result.get(ADDRESS, 0);
        }
    }

    /** Whether the processor multiplies 16-bit brain floats. */
    boolean multipliesBf16() {
        return (isa & ISA_AVX512_BF16) == ISA_AVX512_BF16;
    }

    String isa() {
        return "instruction sets 0x%x".formatted(isa);
    }

    MemorySegment stream() {
        return call(result -> (int) streamCreate.invokeExact(result, engine, STREAM_IN_ORDER), "stream");
    }

    MemorySegment matrixDescriptor(int rows, int columns, int type, long rowStride, long columnStride) {
        try (var arena = Arena.ofConfined()) {
            var sizes = arena.allocateFrom(JAVA_LONG, rows, columns);
            var strides = arena.allocateFrom(JAVA_LONG, rowStride, columnStride);
            return call(
                    result -> (int) descriptorCreate.invokeExact(result, 2, sizes, type, strides), "matrix descriptor");
        }
    }

    /** Rows and columns in whatever order suits an operation best. */
    MemorySegment anyDescriptor(int rows, int columns, int type) {
        try (var arena = Arena.ofConfined()) {
            var sizes = arena.allocateFrom(JAVA_LONG, rows, columns);
            return call(
                    result -> (int) descriptorCreateAny.invokeExact(result, 2, sizes, type, FORMAT_ANY),
                    "descriptor of any order");
        }
    }

    long bytes(MemorySegment descriptor) {
        try {
            return (long) descriptorSize.invokeExact(descriptor);
        } catch (Throwable e) {
            throw new IllegalStateException("oneDNN descriptor size", e);
        }
    }

    void destroyDescriptor(MemorySegment descriptor) {
        run(() -> (int) descriptorDestroy.invokeExact(descriptor), "destroy descriptor");
    }

    /** Memory of that shape; its address is set before each use. */
    MemorySegment memory(MemorySegment descriptor) {
        return call(result -> (int) memoryCreate.invokeExact(result, descriptor, engine, MemorySegment.NULL), "memory");
    }

    void destroyMemory(MemorySegment memory) {
        run(() -> (int) memoryDestroy.invokeExact(memory), "destroy memory");
    }

    MemorySegment matmul(MemorySegment source, MemorySegment weights, MemorySegment destination) {
        return primitive(matmulDescription(source, weights, destination), "matmul");
    }

    /** The order that a product chooses for weights of any order. */
    MemorySegment chosenWeights(MemorySegment source, MemorySegment any, MemorySegment destination) {
        return asked(source, any, destination, QUERY_WEIGHTS);
    }

    /** The working memory that a product needs in each call. */
    MemorySegment scratchpad(MemorySegment source, MemorySegment weights, MemorySegment destination) {
        return asked(source, weights, destination, QUERY_SCRATCHPAD);
    }

    private MemorySegment asked(MemorySegment source, MemorySegment weights, MemorySegment destination, int query) {
        var description = matmulDescription(source, weights, destination);
        try {
            var answer = (MemorySegment) queryDescriptor.invokeExact(description, query, 0);
            return call(result -> (int) descriptorClone.invokeExact(result, answer), "clone descriptor");
        } catch (Throwable e) {
            throw new IllegalStateException("oneDNN query " + query, e);
        } finally {
            run(() -> (int) descriptionDestroy.invokeExact(description), "destroy matmul");
        }
    }

    MemorySegment reorder(MemorySegment from, MemorySegment to) {
        var none = MemorySegment.NULL;
        var description =
                call(result -> (int) reorderCreate.invokeExact(result, from, engine, to, engine, none), "reorder");
        return primitive(description, "reorder");
    }

    private MemorySegment matmulDescription(MemorySegment source, MemorySegment weights, MemorySegment destination) {
        var none = MemorySegment.NULL;
        return call(
                result ->
                        (int) matmulCreate.invokeExact(result, engine, source, weights, none, destination, attributes),
                "matmul");
    }

    private MemorySegment primitive(MemorySegment description, String what) {
        var primitive = call(result -> (int) primitiveCreate.invokeExact(result, description), what + " primitive");
        run(() -> (int) descriptionDestroy.invokeExact(description), "destroy " + what);
        return primitive;
    }

    void destroyPrimitive(MemorySegment primitive) {
        run(() -> (int) primitiveDestroy.invokeExact(primitive), "destroy primitive");
    }

    void setAddress(MemorySegment memory, long address) {
        try {
            check((int) memorySetAddress.invokeExact(memory, MemorySegment.ofAddress(address)), "set address");
        } catch (Throwable e) {
            throw new IllegalStateException("oneDNN set address", e);
        }
    }

    void execute(MemorySegment primitive, MemorySegment stream, int argumentCount, MemorySegment arguments) {
        try {
            check((int) primitiveExecute.invokeExact(primitive, stream, argumentCount, arguments), "execute");
        } catch (Throwable e) {
            throw new IllegalStateException("oneDNN execute", e);
        }
    }

    /** c[m, n] = a[m, k] . b[n, k]^T, row strides in floats. */
    void multiplyFloats(int m, int n, int k, long a, long aStride, long b, long bStride, long c, long cStride) {
        try {
            check(
                    (int) sgemm.invokeExact(
                            (byte) 'N',
                            (byte) 'T',
                            (long) m,
                            (long) n,
                            (long) k,
                            1f,
                            MemorySegment.ofAddress(a),
                            aStride,
                            MemorySegment.ofAddress(b),
                            bStride,
                            0f,
                            MemorySegment.ofAddress(c),
                            cStride),
                    "sgemm");
        } catch (Throwable e) {
            throw new IllegalStateException("oneDNN sgemm", e);
        }
    }

    private interface Call {
        int run(MemorySegment result) throws Throwable;
    }

    private interface PlainCall {
        int run() throws Throwable;
    }

    private static MemorySegment call(Call call, String what) {
        try (var arena = Arena.ofConfined()) {
            var result = arena.allocate(ADDRESS);
            run(() -> call.run(result), what);
            return result.get(ADDRESS, 0);
        }
    }

    private static void run(PlainCall call, String what) {
        try {
            check(call.run(), what);
        } catch (RuntimeException e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException("oneDNN " + what, e);
        }
    }

    private static void check(int status, String what) {
        if (status != 0) {
            throw new IllegalStateException("oneDNN %s failed with status %d".formatted(what, status));
        }
    }
}
