package dev.kvasir.deploy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/**
 * Says as JSON where a member listens, from when it serves until it stops. Written whole or not at all: a reader never
 * sees half of it.
 */
final class MemberFile {
    private final Path file;

    private MemberFile(Path file) {
        this.file = file;
    }

    static MemberFile write(Path file, String model, Addresses addresses) {
        var json = ApiClient.JSON.createObjectNode();
        json.put("pid", ProcessHandle.current().pid());
        json.put("model", model);
        if (addresses.hasDoors()) {
            json.put("http", addresses.http().toString());
            json.put("grpc", addresses.grpc());
        }
        json.put("status", addresses.http().toString());
        json.put("cluster", addresses.cluster());
        try {
            var target = file.toAbsolutePath();
            Files.createDirectories(target.getParent());
            var temporary = Files.createTempFile(target.getParent(), ".member", ".json");
            try {
                Files.writeString(temporary, json.toPrettyString() + "\n");
                Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            } finally {
                Files.deleteIfExists(temporary); // There still where that failed, as on a full disk.
            }
            return new MemberFile(target);
        } catch (IOException e) {
            throw new CommandException("cannot write " + file + ": " + e, e);
        }
    }

    /** Makes the folder for files of a member, before anything that takes long. */
    static void makeFolder(Path folder) {
        try {
            Files.createDirectories(folder);
        } catch (IOException e) {
            throw new CommandException("kvasir.data-dir %s cannot be made: %s".formatted(folder, e), e);
        }
        if (!Files.isWritable(folder)) {
            throw new CommandException("kvasir.data-dir %s cannot be written to".formatted(folder));
        }
    }

    /** Removes the file, unless another process has written its own since. */
    void remove() {
        try {
            var json = ApiClient.JSON.readTree(file.toFile());
            if (json.path("pid").asLong() == ProcessHandle.current().pid()) {
                Files.deleteIfExists(file);
            }
        } catch (IOException _) {
            // It is gone or not ours: there is nothing to remove.
        }
    }
}
