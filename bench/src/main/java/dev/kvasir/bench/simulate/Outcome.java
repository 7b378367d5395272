package dev.kvasir.bench.simulate;

import dev.kvasir.bench.Distribution;
import java.util.List;

/**
 * What a policy did to a trace.
 *
 * @param hitRate share of the prompts' blocks that were in the cache of the worker they went to
 * @param work tokens that each worker has computed
 * @param served requests in the order of the trace
 * @param seconds until the last token
 */
record Outcome(double hitRate, Distribution work, List<Served> served, double seconds) {
    Outcome {
        served = List.copyOf(served);
    }

    /**
     * One request.
     *
     * @param tpotMillis NaN where there was one output token
     */
    record Served(double ttftMillis, double tpotMillis) {}

    Distribution ttftMillis() {
        return Distribution.of(served.stream().mapToDouble(Served::ttftMillis).toArray());
    }

    Distribution tpotMillis() {
        return Distribution.of(served.stream()
                .mapToDouble(Served::tpotMillis)
                .filter(millis -> !Double.isNaN(millis))
                .toArray());
    }

    /** How much more the busiest worker has computed than it would have, had all done the same. */
    double imbalance() {
        return work.max() / work.mean();
    }

    /** Requests per second of those that kept both bounds. */
    double goodput(double ttftMaxMillis, double tpotMaxMillis) {
        long good = served.stream()
                .filter(s -> s.ttftMillis <= ttftMaxMillis && !(s.tpotMillis > tpotMaxMillis))
                .count();
        return good / seconds;
    }
}
