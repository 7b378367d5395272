package dev.kvasir.worker.kernel.cpu;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * The native libraries of the oneDNN jar and of the one it is linked against as files, unpacked once into a cache folder. A
 * digest beside each file tells on later starts whether it is whole; several processes may do this at a time.
 */
final class OnednnFiles {
    private final Path folder;

    OnednnFiles(Path cache) {
        folder = cache.resolve("onednn");
    }

    /** Path of an unpacked and verified library of one of the jars, {@code /org/bytedeco/JAR/linux-x86_64/NAME}. */
    Path unpacked(String jar, String name) throws IOException {
        var file = folder.resolve(name);
        var digestFile = folder.resolve(name + ".sha256");
        if (Files.exists(file)
                && Files.exists(digestFile)
                && Files.readString(digestFile).equals(digest(file))) {
            return file;
        }
        Files.createDirectories(folder);
        var fresh = Files.createTempFile(folder, name, ".part");
        try {
            String digest = copy("/org/bytedeco/" + jar + "/linux-x86_64/" + name, fresh);
            Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            Files.writeString(digestFile, digest);
        } finally {
            Files.deleteIfExists(fresh);
        }
        return file;
    }

    private static String copy(String resource, Path to) throws IOException {
        var digest = sha256();
        try (InputStream in = OnednnFiles.class.getResourceAsStream(resource)) {
            if (in == null) {
                throw new IOException(resource + " is not on the class path (packages have it if made --with-onednn)");
            }
            try (var out = new DigestOutputStream(Files.newOutputStream(to), digest)) {
                in.transferTo(out);
            }
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    private static String digest(Path file) throws IOException {
        var digest = sha256();
        try (var out = new DigestOutputStream(OutputStream.nullOutputStream(), digest)) {
            Files.copy(file, out);
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
