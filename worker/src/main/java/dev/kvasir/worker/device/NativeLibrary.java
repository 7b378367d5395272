package dev.kvasir.worker.device;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * A library of CUDA, called through the foreign-function API: looked for by name, as the system's loader does, then in the
 * folders where CUDA and its Python packages put it. Stays loaded until the process ends.
 */
final class NativeLibrary {
    /** Folders to look into first, separated by colons. */
    static final String FOLDERS_VARIABLE = "KVASIR_CUDA_LIBRARY_PATH";

    private static final List<String> CUDA_FOLDERS = List.of(
            "/usr/local/cuda/lib64",
            "/usr/local/cuda/targets/x86_64-linux/lib",
            "/opt/cuda/lib64",
            "/usr/lib/x86_64-linux-gnu",
            "/usr/lib64");
    private static final List<String> PYTHON_ROOTS =
            List.of("/usr/local/lib", "/usr/lib", "/opt/venv/lib", "/opt/conda/lib", "/opt/python/lib");

    private final String name;
    private final SymbolLookup symbols;

    private NativeLibrary(String name, SymbolLookup symbols) {
        this.name = name;
        this.symbols = symbols;
    }

    static boolean exists(String name) {
        try (var arena = Arena.ofConfined()) {
            SymbolLookup.libraryLookup(name, arena);
            return true;
        } catch (IllegalArgumentException _) {
            return false;
        }
    }

    /**
     * Loads the first of several versions that is found.
     *
     * @param names file names, best first
     * @param override folders that the user named, separated by colons; may be empty
     * @throws IOException naming what was looked for and where
     */
    static NativeLibrary load(List<String> names, String override) throws IOException {
        var folders = folders(override);
        for (var name : names) {
            for (var folder : override.isEmpty() ? List.<Path>of() : folders(override)) {
                var file = folder.resolve(name);
                if (Files.exists(file)) {
                    return open(file.toString());
                }
            }
            if (exists(name)) {
                return open(name);
            }
            for (var folder : folders) {
                var file = folder.resolve(name);
                if (Files.exists(file)) {
                    return open(file.toString());
                }
            }
        }
        throw new IOException("none of %s was found by the system's loader or in %s; %s may name more folders"
                .formatted(names, folders.stream().filter(Files::isDirectory).toList(), FOLDERS_VARIABLE));
    }

    private static NativeLibrary open(String name) throws IOException {
        try {
            return new NativeLibrary(name, SymbolLookup.libraryLookup(name, Arena.global()));
        } catch (IllegalArgumentException e) {
            throw new IOException("%s is there but cannot be loaded: %s".formatted(name, e.getMessage()), e);
        }
    }

    /** The user's folders, CUDA's, then those of Python packages. */
    static List<Path> folders(String override) {
        var folders = new ArrayList<Path>();
        Stream.of(override.split(":", -1))
                .filter(text -> !text.isEmpty())
                .map(Path::of)
                .forEach(folders::add);
        CUDA_FOLDERS.stream().map(Path::of).forEach(folders::add);
        for (var root : PYTHON_ROOTS) {
            for (var python : matches(Path.of(root), "python3*")) {
                for (var packages : List.of("site-packages", "dist-packages")) {
                    for (var part : matches(python.resolve(packages).resolve("nvidia"), "*")) {
                        folders.add(part.resolve("lib"));
                    }
                }
            }
        }
        return folders;
    }

    private static List<Path> matches(Path folder, String glob) {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        var found = new ArrayList<Path>();
        try (var stream = Files.newDirectoryStream(folder, glob)) {
            stream.forEach(found::add);
        } catch (IOException _) {
            return List.of(); // Not readable: nothing to be found there.
        }
        found.sort(null);
        return found;
    }

    /** Name or path that it was loaded by. */
    String name() {
        return name;
    }

    MethodHandle function(String function, FunctionDescriptor descriptor) {
        var address = symbols.find(function)
                .orElseThrow(() -> new IllegalStateException("%s has no function %s".formatted(name, function)));
        return Linker.nativeLinker().downcallHandle(address, descriptor);
    }
}
