package dev.kvasir.model.tokenizer;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Locale;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Loads the Hugging Face tokenizers library that comes with DJL, and nothing else of DJL: its own loader looks for
 * CUDA, may download another build and reports each start to a remote service. The library is unpacked into
 * {@code DJL_CACHE_DIR} where that is set and into the temporary folder elsewhere, loaded, and deleted again.
 */
final class NativeTokenizers {
    private static final @Nullable String FAILURE = load();

    private NativeTokenizers() {}

    /** The library; throws with what prevented loading it. */
    static TokenizersLibrary library() {
        if (FAILURE != null) {
            throw new IllegalStateException(FAILURE);
        }
        return TokenizersLibrary.LIB;
    }

    private static @Nullable String load() {
        String resource = "native/lib/" + platform() + "/cpu/" + System.mapLibraryName("tokenizers");
        String cache = System.getenv("DJL_CACHE_DIR");
        var folder = Path.of(cache == null || cache.isBlank() ? System.getProperty("java.io.tmpdir") : cache);
        try (var library = NativeTokenizers.class.getClassLoader().getResourceAsStream(resource)) {
            if (library == null) {
                return "the tokenizer library has no build for this machine: " + resource + " is not in its jar";
            }
            Files.createDirectories(folder);
            var file = Files.createTempFile(folder, "tokenizers", null);
            try {
                Files.copy(library, file, StandardCopyOption.REPLACE_EXISTING);
                System.load(file.toAbsolutePath().toString());
            } finally {
                deleteNowOrAtExit(file);
            }
            return null;
        } catch (IOException | UnsatisfiedLinkError e) {
            return "cannot unpack and load the tokenizer library in " + folder + " (" + e
                    + "); set DJL_CACHE_DIR to a folder that can be written and executed from";
        }
    }

    private static void deleteNowOrAtExit(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException _) {
            file.toFile().deleteOnExit(); // Some systems keep a loaded file open.
        }
    }

    private static String platform() {
        String os =
                Objects.requireNonNullElse(System.getProperty("os.name"), "").toLowerCase(Locale.ROOT);
        String arch = Objects.requireNonNullElse(System.getProperty("os.arch"), "");
        String system = os.contains("mac") ? "osx" : os.contains("win") ? "win" : "linux";
        return system + "-" + (arch.equals("amd64") ? "x86_64" : arch);
    }
}
