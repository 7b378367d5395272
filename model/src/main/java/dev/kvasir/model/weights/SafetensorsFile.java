package dev.kvasir.model.weights;

import dev.kvasir.model.ModelFileException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;

/** One mapped safetensors file. Its memory belongs to the arena it was opened with. */
final class SafetensorsFile {
    /** "version ", as such a file begins. */
    private static final long LFS_POINTER = 0x206E6F6973726576L;

    private final Path file;
    private final MemorySegment header;
    private final MemorySegment data;
    private final Map<String, SafetensorsHeader.Entry> entries;

    private SafetensorsFile(
            Path file, MemorySegment header, MemorySegment data, Map<String, SafetensorsHeader.Entry> entries) {
        this.file = file;
        this.header = header;
        this.data = data;
        this.entries = entries;
    }

    static SafetensorsFile open(Path file, Arena arena) {
        if (!Files.isRegularFile(file)) {
            throw new ModelFileException(file, "", null, "no such file");
        }
        try (var channel = FileChannel.open(file, StandardOpenOption.READ)) {
            return parse(file, channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena));
        } catch (IOException e) {
            throw new ModelFileException(file, "", null, "cannot be read: " + e.getMessage());
        }
    }

    private static SafetensorsFile parse(Path file, MemorySegment mapped) {
        long size = mapped.byteSize();
        if (size < SafetensorsHeader.LENGTH_BYTES) {
            throw new ModelFileException(file, "size", size, "is too short for a header length of 8 bytes");
        }
        long length = mapped.get(ValueLayout.JAVA_LONG_UNALIGNED, 0);
        if (length == LFS_POINTER) {
            throw new ModelFileException(
                    file, "", null, "is a pointer of Git LFS, not the file itself ('git lfs pull')");
        }
        if (length < 0 || length > SafetensorsHeader.LENGTH_MAX) {
            throw new ModelFileException(
                    file,
                    "header length",
                    Long.toUnsignedString(length),
                    "must be at most " + SafetensorsHeader.LENGTH_MAX);
        }
        if (length > size - SafetensorsHeader.LENGTH_BYTES) {
            throw new ModelFileException(file, "header length", length, "is beyond the file's " + size + " bytes");
        }
        var header = mapped.asSlice(SafetensorsHeader.LENGTH_BYTES, length);
        var data = mapped.asSlice(SafetensorsHeader.LENGTH_BYTES + length);
        return new SafetensorsFile(
                file, header, data, SafetensorsHeader.parse(file, header.asByteBuffer(), data.byteSize()));
    }

    Path file() {
        return file;
    }

    Map<String, SafetensorsHeader.Entry> entries() {
        return entries;
    }

    MemorySegment header() {
        return header;
    }

    MemorySegment data() {
        return data;
    }

    MemorySegment data(SafetensorsHeader.Entry entry) {
        return data.asSlice(entry.begin(), entry.byteSize());
    }
}
