package dev.kvasir.worker.device;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/** CUDA's run-time compiler, for kernels that the build could not compile. */
public final class Nvrtc {
    private static final List<String> NAMES = List.of("libnvrtc.so.13", "libnvrtc.so.12");

    private final NativeLibrary library;

    private Nvrtc(NativeLibrary library) {
        this.library = library;
    }

    /**
     * Finds and opens the library.
     *
     * @param override folders to look into first, separated by colons
     */
    public static Nvrtc open(String override) throws IOException {
        return new Nvrtc(NativeLibrary.load(NAMES, override));
    }

    /** Where it was found. */
    public String library() {
        return library.name();
    }

    /**
     * Machine code for one compute capability.
     *
     * @param headers what the source includes, by name
     * @throws IOException with the compiler's messages
     */
    public byte[] compile(String name, String source, Map<String, String> headers, int computeCapability)
            throws IOException {
        try (var arena = Arena.ofConfined()) {
            var program = arena.allocate(ADDRESS);
            var texts = pointers(arena, List.copyOf(headers.values()));
            var names = pointers(arena, List.copyOf(headers.keySet()));
            check(
                    "nvrtcCreateProgram",
                    invoke(
                            function("nvrtcCreateProgram", ADDRESS, ADDRESS, ADDRESS, JAVA_INT, ADDRESS, ADDRESS),
                            program,
                            arena.allocateFrom(source),
                            arena.allocateFrom(name),
                            headers.size(),
                            texts,
                            names));
            var handle = program.get(ADDRESS, 0);
            try {
                // Instructions of one generation alone (wgmma) need its "a" target.
                var target = computeCapability == 90 ? "90a" : Integer.toString(computeCapability);
                var options = List.of(
                        "--gpu-architecture=sm_" + target, "--std=c++17", "--device-as-default-execution-space");
                int status = invoke(
                        function("nvrtcCompileProgram", ADDRESS, JAVA_INT, ADDRESS),
                        handle,
                        options.size(),
                        pointers(arena, options));
                if (status != 0) {
                    throw new IOException("%s does not compile: %s".formatted(name, log(arena, handle)));
                }
                return bytes(arena, handle, "nvrtcGetCUBINSize", "nvrtcGetCUBIN");
            } finally {
                invoke(function("nvrtcDestroyProgram", ADDRESS), program);
            }
        }
    }

    private String log(Arena arena, MemorySegment program) throws IOException {
        var log = bytes(arena, program, "nvrtcGetProgramLogSize", "nvrtcGetProgramLog");
        return new String(log, StandardCharsets.UTF_8).strip();
    }

    private byte[] bytes(Arena arena, MemorySegment program, String sizeFunction, String contentFunction)
            throws IOException {
        var size = arena.allocate(JAVA_LONG);
        check(sizeFunction, invoke(function(sizeFunction, ADDRESS, ADDRESS), program, size));
        var content = arena.allocate(size.get(JAVA_LONG, 0));
        check(contentFunction, invoke(function(contentFunction, ADDRESS, ADDRESS), program, content));
        return content.toArray(JAVA_BYTE);
    }

    private static MemorySegment pointers(Arena arena, List<String> texts) {
        var pointers = arena.allocate(ADDRESS, Math.max(1, texts.size()));
        for (int i = 0; i < texts.size(); i++) {
            pointers.setAtIndex(ADDRESS, i, arena.allocateFrom(texts.get(i)));
        }
        return pointers;
    }

    private MethodHandle function(String name, MemoryLayout... parameters) {
        return library.function(name, FunctionDescriptor.of(JAVA_INT, parameters));
    }

    private static int invoke(MethodHandle function, Object... arguments) {
        try {
            return (int) function.invokeWithArguments(arguments);
        } catch (Throwable e) {
            throw new IllegalStateException("NVRTC cannot be called", e);
        }
    }

    private static void check(String call, int status) throws IOException {
        if (status != 0) {
            throw new IOException("%s: NVRTC error %d".formatted(call, status));
        }
    }
}
