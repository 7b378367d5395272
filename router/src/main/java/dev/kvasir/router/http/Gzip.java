package dev.kvasir.router.http;

import io.helidon.http.encoding.ContentDecoder;
import io.helidon.http.encoding.ContentEncoder;
import io.helidon.http.encoding.ContentEncoding;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Set;
import java.util.zip.GZIPInputStream;

/** Bodies that clients have compressed. They are expanded as they are read, so whoever reads bounds what comes of them. */
final class Gzip implements ContentEncoding {
    static final String NAME = "gzip";
    private static final int BUFFER_BYTES = 1 << 14;

    @Override
    public Set<String> ids() {
        return Set.of(NAME, "x-gzip");
    }

    @Override
    public boolean supportsDecoding() {
        return true;
    }

    @Override
    public ContentDecoder decoder() {
        return compressed -> {
            try {
                return new GZIPInputStream(compressed, BUFFER_BYTES);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        };
    }

    /** Answers are short or stream; none is compressed. */
    @Override
    public boolean supportsEncoding() {
        return false;
    }

    @Override
    public ContentEncoder encoder() {
        return ContentEncoder.NO_OP;
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public String type() {
        return NAME;
    }
}
