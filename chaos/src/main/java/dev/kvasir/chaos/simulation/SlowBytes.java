package dev.kvasir.chaos.simulation;

import dev.kvasir.kvstore.tier.FrameHeader;
import java.io.InputStream;

/** The bytes of a message, of which the second half takes its time: others go on while they are waited for. */
final class SlowBytes extends InputStream {
    private final byte[] bytes;
    private final Runnable meanwhile;
    private int at;
    private boolean waited;

    SlowBytes(byte[] bytes, Runnable meanwhile) {
        this.bytes = bytes;
        this.meanwhile = meanwhile;
    }

    @Override
    public int read() {
        return at < bytes.length ? bytes[at++] & 0xff : -1;
    }

    @Override
    public int read(byte[] to, int offset, int length) {
        if (at == bytes.length) {
            return length == 0 ? 0 : -1;
        }
        int half = Math.clamp(bytes.length - (bytes.length - FrameHeader.BYTES) / 2, 1, bytes.length);
        if (at >= half && !waited) {
            waited = true;
            meanwhile.run();
        }
        int end = at < half ? half : bytes.length;
        int count = Math.min(length, end - at);
        System.arraycopy(bytes, at, to, offset, count);
        at += count;
        return count;
    }
}
