package dev.kvasir.chaos.process;

import dev.kvasir.chaos.process.Fault.Damage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Random;

/** What goes wrong with the disk tier of a member: its files are damaged, or there is no room for them. */
final class DiskFaults {
    private static final int DAMAGED_BYTES = 4096;
    private static final long ROOM_BYTES = 1 << 20;
    private static final int PROMPTS_MAX = 12;
    private static final Duration RETRY_MAX = Duration.ofSeconds(60);

    private final Timeline timeline;
    private final LongPrompts prompts;
    private final Random random;

    DiskFaults(Timeline timeline, LongPrompts prompts, Random random) {
        this.timeline = timeline;
        this.prompts = prompts;
        this.random = random;
    }

    /** Does something to all files of a member's disk tier. */
    String damage(Member member, Damage how) throws IOException {
        var files = files(member);
        for (var file : files) {
            damage(file, how);
        }
        return "%d files".formatted(files.size());
    }

    private static List<Path> files(Member member) {
        try (var found = Files.walk(member.dataFolder())) {
            return found.filter(path -> path.toString().endsWith(".kv")).toList();
        } catch (UncheckedIOException | NoSuchFileException _) {
            return List.of();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void damage(Path file, Damage how) throws IOException {
        switch (how) {
            case DELETED -> Files.deleteIfExists(file);
            case TRUNCATED -> {
                try (var channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                    channel.truncate(channel.size() / 3);
                }
            }
            case OVERWRITTEN -> {
                try (var channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                    var noise = new byte[DAMAGED_BYTES];
                    for (long at = DAMAGED_BYTES; at < channel.size(); at += 3L * DAMAGED_BYTES) {
                        random.nextBytes(noise);
                        channel.write(ByteBuffer.wrap(noise), at);
                    }
                }
            }
        }
    }

    /**
     * Leaves no room for a member's files while new blocks come, and then room again. Its disk tier has to switch itself off,
     * and to come back.
     */
    String fill(Member member) throws IOException, InterruptedException {
        double before = member.metric("kvasir:kvstore_disk_switched_off_total");
        member.limitFiles(ROOM_BYTES);
        int asked = 0;
        while (asked < PROMPTS_MAX && member.metric("kvasir:kvstore_disk_switched_off_total") == before) {
            prompts.ask();
            asked++;
        }
        boolean noticed = member.metric("kvasir:kvstore_disk_switched_off_total") > before;
        if (noticed) {
            prompts.ask(); // While it is off.
        }
        member.unlimitFiles();
        long room = System.nanoTime();
        while (member.metric("kvasir:kvstore_disk_off") > 0) {
            if (System.nanoTime() - room > RETRY_MAX.toNanos()) {
                timeline.violation("the disk tier of %s is still off %d s after there was room again"
                        .formatted(member.name(), RETRY_MAX.toSeconds()));
                break;
            }
            Members.pause();
        }
        if (!noticed) {
            timeline.violation("the disk tier of %s did not switch itself off while %d prompts left it without room"
                    .formatted(member.name(), asked));
        }
        return "off after %d prompts, on again %d ms after there was room"
                .formatted(asked, Duration.ofNanos(System.nanoTime() - room).toMillis());
    }
}
