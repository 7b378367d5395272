package dev.kvasir.router;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keys in a file: in each line a key, or a key and its tenant; empty lines and those that begin with # say nothing. It is read
 * again when it has changed, which is looked for once in a second at most; a state that cannot be read is reported, the one
 * before it stays, and it is tried again.
 */
final class KeyFile {
    private static final Logger LOG = LoggerFactory.getLogger(KeyFile.class);
    private static final Duration LOOK_EVERY = Duration.ofSeconds(1);
    private static final int KEYS_MAX = 10_000;
    private static final long BYTES_MAX = 8 << 20;

    private final Path file;
    private final long lookEveryNanos;
    private List<ApiKey> keys;
    private State seen;
    private String complaint = "";
    private long lookedNanos;

    private KeyFile(Path file, Duration lookEvery) {
        this.file = file;
        this.lookEveryNanos = lookEvery.toNanos();
        this.seen = state();
        this.keys = read();
        this.lookedNanos = System.nanoTime();
        if (keys.isEmpty()) {
            throw new IllegalArgumentException("kvasir.router.api-key-file " + file + " has no key in it");
        }
    }

    private record State(FileTime time, long size) {}

    /** Reads a file, which must have a key at least. */
    static KeyFile open(Path file) {
        return open(file, LOOK_EVERY);
    }

    /** The same, looking for changes at other intervals. */
    static KeyFile open(Path file, Duration lookEvery) {
        return new KeyFile(file, lookEvery);
    }

    /** Those of the file's latest good state. */
    synchronized List<ApiKey> keys() {
        long now = System.nanoTime();
        if (now - lookedNanos < lookEveryNanos) {
            return keys;
        }
        lookedNanos = now;
        try {
            var state = state();
            if (!state.equals(seen)) {
                keys = read();
                seen = state; // A state that could not be read is read again: who may read it shows in no time of its.
                LOG.info("{} has changed; {} keys", file, keys.size());
            }
            complaint = "";
        } catch (IllegalArgumentException | UncheckedIOException e) {
            complain(String.valueOf(e.getMessage()));
        }
        return keys;
    }

    /** Once for as long as it is the same. */
    private void complain(String why) {
        if (!why.equals(complaint)) {
            complaint = why;
            LOG.warn("Keys stay as they are: {}", why);
        }
    }

    private State state() {
        try {
            return new State(Files.getLastModifiedTime(file), Files.size(file));
        } catch (IOException e) {
            throw unreadable(e);
        }
    }

    private List<ApiKey> read() {
        try {
            if (Files.size(file) > BYTES_MAX) {
                throw new IllegalArgumentException("kvasir.router.api-key-file %s has %d bytes but may have %d"
                        .formatted(file, Files.size(file), BYTES_MAX));
            }
            var lines = Files.readAllLines(file);
            var read = new ArrayList<ApiKey>();
            for (int i = 0; i < lines.size(); i++) {
                var line = lines.get(i).strip();
                if (!line.isEmpty() && !line.startsWith("#")) {
                    read.add(ApiKey.parse(line, "line %d of kvasir.router.api-key-file %s".formatted(i + 1, file)));
                }
            }
            if (read.size() > KEYS_MAX) {
                throw new IllegalArgumentException("kvasir.router.api-key-file %s has %d keys but may have %d"
                        .formatted(file, read.size(), KEYS_MAX));
            }
            return List.copyOf(read);
        } catch (IOException e) {
            throw unreadable(e);
        }
    }

    private UncheckedIOException unreadable(IOException cause) {
        return new UncheckedIOException(
                "kvasir.router.api-key-file " + file + " cannot be read: " + cause.getMessage(), cause);
    }
}
