package dev.kvasir.model.weights;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Writes safetensors files byte by byte, well formed or not. */
final class TensorFile {
    private TensorFile() {}

    static void write(Path file, String header, int dataBytes) throws IOException {
        write(file, header.getBytes(StandardCharsets.UTF_8), new byte[dataBytes]);
    }

    static void write(Path file, byte[] header, byte[] data) throws IOException {
        write(file, header.length, header, data);
    }

    /** A header length that need not be that of the header. */
    static void write(Path file, long length, byte[] header, byte[] data) throws IOException {
        var bytes = ByteBuffer.allocate(Long.BYTES + header.length + data.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(length)
                .put(header)
                .put(data);
        Files.write(file, bytes.array());
    }

    /** A file with F32 vectors of two elements. */
    static void vectors(Path file, String... names) throws IOException {
        var header = new StringBuilder("{");
        for (int i = 0; i < names.length; i++) {
            header.append(i == 0 ? "" : ",").append(entry(names[i], "F32", "[2]", 8L * i, 8L * i + 8));
        }
        write(file, header.append('}').toString(), 8 * names.length);
    }

    static String entry(String name, String type, String shape, long begin, long end) {
        return "\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}"
                .formatted(name, type, shape, begin, end);
    }
}
