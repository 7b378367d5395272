package dev.kvasir.chaos.simulation;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.Supplier;

/** What happened, readable. Nothing is written down unless somebody wants to read it; the newest lines are kept. */
final class Trace {
    private static final int LINES_MAX = 20_000;

    private final Timeline timeline;
    private final boolean wanted;
    private final Deque<String> lines = new ArrayDeque<>();
    private long digest;

    Trace(Timeline timeline, boolean wanted) {
        this.timeline = timeline;
        this.wanted = wanted;
    }

    void note(String who, Supplier<String> what) {
        digest = StandInModel.mix(digest, timeline.now() ^ who.hashCode());
        if (!wanted) {
            return;
        }
        if (lines.size() == LINES_MAX) {
            lines.removeFirst();
        }
        long micros = timeline.now() / 1000;
        lines.add("%4d.%06d  %-10s %s".formatted(micros / 1_000_000, micros % 1_000_000, who, what.get()));
    }

    /** Equal for equal runs. */
    long digest() {
        return digest;
    }

    List<String> lines() {
        return new ArrayList<>(lines);
    }
}
