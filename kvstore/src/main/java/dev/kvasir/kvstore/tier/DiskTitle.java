package dev.kvasir.kvstore.tier;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * First page of a file of blocks: which format they have.
 *
 * <pre>
 * magic, digest of the format, length of the text (4 bytes each), the format as lines of text, zeros up to 4096 bytes
 * </pre>
 */
public final class DiskTitle {
    static final int BYTES = 4096;

    private static final Logger LOG = LoggerFactory.getLogger(DiskTitle.class);
    private static final int MAGIC = 0x4B564431;
    private static final int TEXT_AT = 3 * Integer.BYTES;

    private DiskTitle() {}

    static ByteBuffer of(BlockFormat format) {
        var text = String.join(
                        "\n",
                        format.fingerprint(),
                        format.kvDtype(),
                        String.valueOf(format.blockSize()),
                        String.valueOf(format.layoutVersion()),
                        String.valueOf(format.blockBytes()))
                .getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(BYTES)
                .putInt(MAGIC)
                .putInt(FrameHeader.digest(format))
                .putInt(text.length)
                .put(text)
                .position(0);
    }

    /** The format of a file, as far as its title can be read. */
    public static Optional<BlockFormat> format(Path path) {
        try (var file = Files.newInputStream(path)) {
            var title = file.readNBytes(BYTES);
            return title.length == BYTES ? format(ByteBuffer.wrap(title)) : Optional.empty();
        } catch (IOException e) {
            LOG.warn("{} cannot be read: {}", path, e.toString());
            return Optional.empty();
        }
    }

    private static Optional<BlockFormat> format(ByteBuffer title) {
        int length = title.getInt(2 * Integer.BYTES);
        if (title.getInt(0) != MAGIC || length < 1 || length > BYTES - TEXT_AT) {
            return Optional.empty();
        }
        var text = new byte[length];
        title.get(TEXT_AT, text);
        var fields = new String(text, StandardCharsets.UTF_8).lines().toList();
        if (fields.size() != 5) {
            return Optional.empty();
        }
        try {
            var format = new BlockFormat(
                    fields.get(0),
                    fields.get(1),
                    Integer.parseInt(fields.get(2)),
                    Integer.parseInt(fields.get(3)),
                    Integer.parseInt(fields.get(4)));
            return FrameHeader.digest(format) == title.getInt(Integer.BYTES) ? Optional.of(format) : Optional.empty();
        } catch (IllegalArgumentException e) {
            LOG.debug("A file's title names no format", e);
            return Optional.empty();
        }
    }
}
