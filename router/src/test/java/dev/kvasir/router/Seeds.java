package dev.kvasir.router;

import java.util.stream.LongStream;

/** Seeds of property tests: the first few, or the one given with {@code -Dseed=}. */
public final class Seeds {
    private Seeds() {}

    public static LongStream of(int runs) {
        var given = Long.getLong("seed");
        return given == null ? LongStream.range(0, runs) : LongStream.of(given);
    }
}
