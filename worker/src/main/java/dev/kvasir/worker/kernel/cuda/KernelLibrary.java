package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.worker.device.DeviceKernel;
import dev.kvasir.worker.device.Gpu;
import dev.kvasir.worker.device.KernelModule;
import dev.kvasir.worker.device.Nvrtc;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * All kernels, loaded at start. What the build compiled is in the jar; without it the sources are compiled now, and kept in a
 * folder so that the next start finds them.
 */
final class KernelLibrary {
    private static final Logger LOG = LoggerFactory.getLogger(KernelLibrary.class);

    /** Names of source files, without their ending. */
    static final List<String> SOURCES = List.of(
            "RowCopy",
            "Norm",
            "Rotation",
            "ElementOperation",
            "AttendSimple",
            "AttendDecode",
            "AttendDecodeFp8",
            "AttendPrefill",
            "AttendPrefillFp8",
            "AttendPrefillWgmma",
            "AttendPrefillWgmmaFp8",
            "SkinnyMultiply",
            "WarpgroupMultiply",
            "Largest",
            "Draw",
            "Score",
            "Fill",
            "PeerSum",
            "KvExchange");

    static final List<String> HEADERS = List.of(
            "Activation.cuh",
            "Elements.cuh",
            "Largest.cuh",
            "Logits.cuh",
            "Fp8.cuh",
            "Fp8Tile.cuh",
            "Primitives.cuh",
            "AttendDecode.cuh",
            "AttendPrefill.cuh",
            "AttendPrefillMma.cuh",
            "AttendPrefillWgmma.cuh",
            "Warpgroup.cuh");

    private final Map<String, KernelModule> modules = new HashMap<>();
    private final String origin;

    private KernelLibrary(String origin) {
        this.origin = origin;
    }

    /**
     * Loads all kernels.
     *
     * @param cache folder of kernels that were compiled at start
     * @param libraryPath folders where NVRTC may be, separated by colons
     * @throws IllegalStateException naming what is missing
     */
    static KernelLibrary load(Gpu gpu, Path cache, String libraryPath) {
        boolean built = resource(SOURCES.getFirst() + ".fatbin") != null;
        var library = new KernelLibrary(built ? "compiled with the build" : "compiled at start");
        Function<String, byte[]> image =
                built ? source -> required(source + ".fatbin") : new Compiler(gpu, cache, libraryPath)::image;
        // Side by side: to compile them takes more than a minute of a processor.
        var images = SOURCES.parallelStream().collect(Collectors.toMap(source -> source, image));
        for (var source : SOURCES) {
            library.modules.put(source, gpu.module(source, Objects.requireNonNull(images.get(source))));
        }
        return library;
    }

    /** Where the machine code comes from, for people. */
    String origin() {
        return origin;
    }

    DeviceKernel kernel(String source, String name) {
        var module = modules.get(source);
        if (module == null) {
            throw new IllegalArgumentException("no kernels of " + source + " were loaded");
        }
        return module.kernel(name);
    }

    /** The kernel for each type of activations. */
    PerType<DeviceKernel> perType(String source, String name) {
        return new PerType<>(type -> kernel(source, name + "_" + suffix(type)));
    }

    /** The kernel for each type of activations with each way of storing keys and values. */
    PerType<PerFormat<DeviceKernel>> perTypeAndFormat(String source, String name) {
        return new PerType<>(type ->
                new PerFormat<>(format -> kernel(source, "%s_%s_%s".formatted(name, suffix(type), suffix(format)))));
    }

    static String suffix(Enum<?> type) {
        return type.name().toLowerCase(Locale.ROOT);
    }

    private static byte @Nullable [] resource(String name) {
        try (InputStream stream = KernelLibrary.class.getResourceAsStream(name)) {
            return stream == null ? null : stream.readAllBytes();
        } catch (IOException e) {
            throw new IllegalStateException("%s cannot be read from the jar".formatted(name), e);
        }
    }

    static byte[] required(String name) {
        var content = resource(name);
        if (content == null) {
            throw new IllegalStateException("%s is missing in the jar".formatted(name));
        }
        return content;
    }

    /** Compiles sources that the build did not; for many threads. */
    private static final class Compiler {
        private final Path cache;
        private final String libraryPath;
        private final int capability;
        private final int driver;
        private final Map<String, String> headers = new HashMap<>();
        private @Nullable Nvrtc nvrtc;

        Compiler(Gpu gpu, Path cache, String libraryPath) {
            this.cache = cache;
            this.libraryPath = libraryPath;
            this.capability = gpu.info().computeCapability();
            this.driver = gpu.info().driverVersion();
            for (var header : HEADERS) {
                headers.put(header, text(header));
            }
        }

        private static String text(String name) {
            return new String(required(name), StandardCharsets.UTF_8);
        }

        byte[] image(String source) {
            var text = text(source + ".cu");
            var file = cache.resolve("%s-%s.cubin".formatted(source, digest(text)));
            try {
                if (Files.exists(file)) {
                    return Files.readAllBytes(file);
                }
                var compiler = nvrtc();
                LOG.info("Compiling {} by {}", source, compiler.library());
                var image = compiler.compile(source + ".cu", text, headers, capability);
                Files.createDirectories(cache);
                var part = Files.createTempFile(cache, source, ".part");
                Files.write(part, image);
                Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
                return image;
            } catch (IOException e) {
                throw new IllegalStateException(
                        "this build has no compiled CUDA kernels (nvcc was not there), and %s cannot be compiled now: %s"
                                .formatted(source, e.getMessage()),
                        e);
            }
        }

        private synchronized Nvrtc nvrtc() throws IOException {
            if (nvrtc == null) {
                nvrtc = Nvrtc.open(libraryPath);
            }
            return nvrtc;
        }

        private String digest(String text) {
            try {
                var digest = MessageDigest.getInstance("SHA-256");
                digest.update("%d %d %s".formatted(capability, driver, headers).getBytes(StandardCharsets.UTF_8));
                digest.update(text.getBytes(StandardCharsets.UTF_8));
                return HexFormat.of().formatHex(digest.digest(), 0, 8);
            } catch (NoSuchAlgorithmException e) {
                throw new IllegalStateException("every Java platform has SHA-256", e);
            }
        }
    }
}
