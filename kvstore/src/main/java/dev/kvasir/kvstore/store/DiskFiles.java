package dev.kvasir.kvstore.store;

import dev.kvasir.kvstore.tier.BlockFormat;
import dev.kvasir.kvstore.tier.DiskTier;
import dev.kvasir.kvstore.tier.DiskTitle;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where the disk tier's files lie: a folder for each model, so that one that comes back finds its blocks. All of them
 * together stay within the bound: those that are served have equal parts of at least half of it, and of the others those go
 * first that were used least recently. Nothing else in the folder is touched, nor what a process has open.
 *
 * <pre>
 * FOLDER / first 16 characters of the fingerprint / blocks-(digest of the format).kv
 * </pre>
 */
final class DiskFiles {
    private static final Logger LOG = LoggerFactory.getLogger(DiskFiles.class);
    private static final int NAME_MAX = 16;
    private static final int MODELS_MAX = 256;
    private static final long TOGETHER_MILLIS = 3_600_000;

    private final Path folder;
    private final long bytesMax;

    DiskFiles(Path folder, long bytesMax) {
        this.folder = folder;
        this.bytesMax = bytesMax;
    }

    private record Found(Path path, long bytes, long usedMillis) {}

    /** Folder of a model's files. */
    Path folder(BlockFormat format) {
        var name = format.fingerprint().replaceAll("[^A-Za-z0-9]", "_");
        return folder.resolve(name.substring(0, Math.min(NAME_MAX, name.length())));
    }

    /** Formats that were in use when the last one was, or not long before: those used last first. */
    List<BlockFormat> formats() {
        var files = found();
        long last = files.stream().mapToLong(Found::usedMillis).max().orElse(0);
        return files.stream()
                .filter(file -> last - file.usedMillis <= TOGETHER_MILLIS)
                .sorted(Comparator.comparingLong(Found::usedMillis).reversed())
                .flatMap(file -> DiskTitle.format(file.path).stream())
                .toList();
    }

    /** Makes room for the files of some formats, none of which is open, and tells how large each of them may be. */
    long makeRoom(Collection<BlockFormat> served) {
        var own = served.stream()
                .map(format -> DiskTier.file(folder(format), format))
                .toList();
        long left = bytesMax;
        var others = found().stream()
                .filter(file -> !own.contains(file.path))
                .sorted(Comparator.comparingLong(Found::usedMillis).reversed())
                .toList();
        for (var other : others) {
            if (left - other.bytes >= bytesMax / 2 || !delete(other)) {
                left -= other.bytes;
            }
        }
        long each = Math.max(0, left / served.size());
        own.forEach(file -> shorten(file, each));
        return each;
    }

    /** Notes that the file of a format is in use. */
    void touch(BlockFormat format) {
        var file = DiskTier.file(folder(format), format);
        try {
            if (Files.isRegularFile(file)) {
                Files.setLastModifiedTime(file, FileTime.from(Instant.now()));
            }
        } catch (IOException e) {
            LOG.debug("The time of {} cannot be set", file, e);
        }
    }

    private List<Found> found() {
        var found = new ArrayList<Found>();
        try (var models = Files.newDirectoryStream(folder, Files::isDirectory)) {
            for (var model : models) {
                if (found.size() >= MODELS_MAX) {
                    break;
                }
                try (var files = Files.newDirectoryStream(model, DiskTier.FILES)) {
                    for (var file : files) {
                        found.add(new Found(
                                file,
                                Files.size(file),
                                Files.getLastModifiedTime(file).toMillis()));
                    }
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            LOG.debug("No files of blocks in {}", folder, e);
        }
        return found;
    }

    private static boolean delete(Found file) {
        boolean deleted = alone(file.path, _ -> Files.delete(file.path));
        if (deleted) {
            LOG.info("{} of a model that is not served any more was deleted to make room", file.path);
        } else {
            LOG.warn("{} of a model that is not served here takes room and cannot be deleted", file.path);
        }
        return deleted;
    }

    /** A file that had more room before. */
    private static void shorten(Path file, long bytes) {
        if (Files.isRegularFile(file)
                && !alone(file, channel -> {
                    channel.truncate(bytes);
                })) {
            LOG.warn("{} cannot be shortened to {} bytes", file, bytes);
        }
    }

    private interface Work {
        void run(FileChannel channel) throws IOException;
    }

    /** Does something to a file that nobody has open; false where somebody has, or it fails. */
    private static boolean alone(Path file, Work work) {
        try (var channel = FileChannel.open(file, StandardOpenOption.WRITE);
                var lock = channel.tryLock()) {
            if (lock == null) {
                return false;
            }
            work.run(channel);
            return true;
        } catch (IOException | OverlappingFileLockException e) {
            LOG.debug("{} is left as it is", file, e);
            return false;
        }
    }
}
