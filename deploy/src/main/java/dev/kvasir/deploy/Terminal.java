package dev.kvasir.deploy;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/** Reading what a user types or pipes in. */
final class Terminal {
    /** Bytes read from standard input; more is no prompt. */
    private static final int INPUT_MAX = 16 << 20;

    private Terminal() {}

    /** All of a stream, without the line end that editors add. */
    static String readAll(InputStream in) {
        try {
            var bytes = in.readNBytes(INPUT_MAX + 1);
            if (bytes.length > INPUT_MAX) {
                throw new CommandException("standard input is longer than %d bytes".formatted(INPUT_MAX));
            }
            var text = new String(bytes, StandardCharsets.UTF_8);
            return text.endsWith("\n") ? text.substring(0, text.length() - 1) : text;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static BufferedReader lines(InputStream in) {
        return new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8));
    }
}
