package dev.kvasir.chaos.process;

import java.io.IOException;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;

/** What happens to KV blocks on their way between members. Thread-safe. */
final class DataPlane implements Relay.Traffic {
    /** What it may be. */
    enum Harm {
        /** Blocks come later than whoever waits for them has patience for. */
        LATE,
        /** Connections break in the midst of a block. */
        CUT,
        /** One bit is another. */
        FLIPPED
    }

    private static final long LATE_NANOS = TimeUnit.MILLISECONDS.toNanos(700);

    /** What is larger is part of a block. */
    private static final int BLOCK_BYTES_MIN = 4 << 10;

    private static final int SPARED = 6;

    private final Random random;
    private boolean on;
    private Harm harm = Harm.LATE;
    private final Map<String, Integer> struck = new TreeMap<>();

    DataPlane(long seed) {
        random = new Random(seed);
    }

    /** Harms blocks until {@link #end}. */
    synchronized void begin(Harm how) {
        on = true;
        harm = how;
        struck.clear();
    }

    /** No more harm; answers with how many pieces of blocks were harmed, by the member that they came from. */
    synchronized Map<String, Integer> end() {
        on = false;
        return new TreeMap<>(struck);
    }

    @Override
    public synchronized long delayNanos() {
        return on && harm == Harm.LATE ? LATE_NANOS : 0;
    }

    @Override
    public synchronized void pass(String from, byte[] bytes) throws IOException {
        if (!on || bytes.length < BLOCK_BYTES_MIN) {
            return;
        }
        if (harm == Harm.LATE) {
            struck.merge(from, 1, Integer::sum);
        } else if (random.nextInt(SPARED) == 0) {
            struck.merge(from, 1, Integer::sum);
            if (harm == Harm.CUT) {
                throw new IOException("cut");
            }
            bytes[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(Byte.SIZE));
        }
    }
}
