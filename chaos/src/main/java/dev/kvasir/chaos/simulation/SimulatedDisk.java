package dev.kvasir.chaos.simulation;

import dev.kvasir.kvstore.tier.BlockFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.random.RandomGenerator;

/**
 * The disk of a member, with one file, which outlives its processes; what was written last may be torn then. An operation is
 * over at once for everybody else, but takes its time on the clock of whoever measures it.
 */
final class SimulatedDisk implements BlockFile.Opener {
    /** What may be wrong with it. */
    enum Trouble {
        NONE,
        /** Operations take seconds. */
        SLOW,
        /** Some operations fail. */
        FAILING,
        /** Nothing can be written. */
        FULL,
        /** Bits of what is read are flipped. */
        DAMAGED
    }

    private static final int TITLE_BYTES = 4096;
    private static final int HEADER_BYTES = 80;
    private static final int TORN_IN = 3;
    private static final long FAST_NANOS = 2 * Timeline.MILLI;

    private final RandomGenerator random;
    private byte[] content = {};
    private Trouble trouble = Trouble.NONE;
    private long lastWritten;
    private long spentNanos;
    private long reads;

    SimulatedDisk(RandomGenerator random) {
        this.random = random;
    }

    void be(Trouble now) {
        trouble = now;
    }

    /** What all operations together have taken. */
    long spentNanos() {
        return spentNanos;
    }

    /** Contents of blocks that were read. */
    long reads() {
        return reads;
    }

    @Override
    public BlockFile open(Path path) throws IOException {
        operate();
        if (lastWritten >= TITLE_BYTES && random.nextInt(TORN_IN) == 0) {
            content[(int) lastWritten + HEADER_BYTES] ^= 1;
        }
        return new File();
    }

    private void operate() throws IOException {
        spentNanos += trouble == Trouble.SLOW ? random.nextLong(Timeline.SECOND, 4 * Timeline.SECOND) : FAST_NANOS;
        if (trouble == Trouble.FAILING && random.nextInt(3) == 0) {
            throw new IOException("Input/output error");
        }
    }

    private final class File implements BlockFile {
        @Override
        public long size() {
            return content.length;
        }

        @Override
        public boolean read(ByteBuffer to, long at) throws IOException {
            operate();
            int count = to.remaining();
            if (at + count > content.length) {
                return false;
            }
            var bytes = Arrays.copyOfRange(content, (int) at, (int) at + count);
            if (trouble == Trouble.DAMAGED && random.nextBoolean()) {
                bytes[random.nextInt(count)] ^= (byte) (1 << random.nextInt(Byte.SIZE));
            }
            reads += at >= TITLE_BYTES && count != HEADER_BYTES ? 1 : 0;
            to.put(bytes);
            return true;
        }

        @Override
        public void write(ByteBuffer from, long at) throws IOException {
            operate();
            if (trouble == Trouble.FULL) {
                throw new IOException("No space left on device");
            }
            int count = from.remaining();
            if (at + count > content.length) {
                content = Arrays.copyOf(content, (int) at + count);
            }
            from.get(content, (int) at, count);
            lastWritten = at;
        }

        @Override
        public void close() {}
    }
}
