package dev.kvasir.kvstore.transfer;

import dev.kvasir.kvstore.tier.FrameHeader;
import io.grpc.Drainable;
import io.grpc.KnownLength;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;

/**
 * Blocks to and from gRPC messages without a buffer of a whole block in between: out, gRPC drains the block's memory into
 * its own buffers; in, the {@link Landing} of the call says where the bytes go, and they are copied there as they are read.
 */
final class FrameMarshaller implements MethodDescriptor.Marshaller<Frame> {
    private static final int CHUNK = 64 << 10;

    /** Takes the bytes of an incoming block. */
    interface Landing {
        /** Reads all of {@code header.length()} bytes, or fewer where the block is not wanted. */
        void land(FrameHeader header, InputStream bytes) throws IOException;
    }

    /** Of the sending side. */
    static final Landing NOWHERE = (header, bytes) -> {
        throw Status.INTERNAL.withDescription("no block is expected").asRuntimeException();
    };

    private final Landing landing;

    FrameMarshaller(Landing landing) {
        this.landing = landing;
    }

    @Override
    public InputStream stream(Frame frame) {
        return new FrameStream(frame);
    }

    @Override
    public Frame parse(InputStream stream) {
        try {
            var header = FrameHeader.read(ByteBuffer.wrap(stream.readNBytes(FrameHeader.BYTES)));
            if (header == null) {
                throw Status.DATA_LOSS
                        .withDescription("a block has no valid header")
                        .asRuntimeException();
            }
            landing.land(header, stream);
            return new Frame(header, MemorySegment.NULL);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Copies exactly as many bytes as {@code to} has; false where there are fewer or more. */
    static boolean read(InputStream from, MemorySegment to) throws IOException {
        var chunk = new byte[(int) Math.min(CHUNK, to.byteSize())];
        long at = 0;
        while (at < to.byteSize()) {
            int count = from.read(chunk, 0, (int) Math.min(chunk.length, to.byteSize() - at));
            if (count < 0) {
                return false;
            }
            MemorySegment.copy(chunk, 0, to, ValueLayout.JAVA_BYTE, at, count);
            at += count;
        }
        return from.read() < 0;
    }

    private static final class FrameStream extends InputStream implements KnownLength, Drainable {
        private final ByteBuffer header;
        private final MemorySegment bytes;
        private long at;

        FrameStream(Frame frame) {
            header = frame.header().bytes();
            bytes = frame.bytes();
        }

        @Override
        public int available() {
            return (int) (header.remaining() + bytes.byteSize() - at);
        }

        @Override
        public int drainTo(OutputStream target) throws IOException {
            int count = available();
            while (header.hasRemaining()) {
                target.write(header.get());
            }
            var chunk = new byte[(int) Math.min(CHUNK, bytes.byteSize())];
            while (at < bytes.byteSize()) {
                int part = (int) Math.min(chunk.length, bytes.byteSize() - at);
                MemorySegment.copy(bytes, ValueLayout.JAVA_BYTE, at, chunk, 0, part);
                target.write(chunk, 0, part);
                at += part;
            }
            return count;
        }

        @Override
        public int read(byte[] to, int from, int length) {
            int count = 0;
            int value;
            while (count < length && (value = read()) >= 0) {
                to[from + count++] = (byte) value;
            }
            return count == 0 && length > 0 ? -1 : count;
        }

        @Override
        public int read() {
            if (header.hasRemaining()) {
                return header.get() & 0xff;
            }
            return at < bytes.byteSize() ? bytes.get(ValueLayout.JAVA_BYTE, at++) & 0xff : -1;
        }
    }
}
