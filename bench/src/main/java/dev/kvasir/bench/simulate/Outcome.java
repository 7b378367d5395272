package dev.kvasir.bench.simulate;

import dev.kvasir.bench.Distribution;
import java.util.List;

/**
 * What a policy did to a trace.
 *
 * @param localRate share of the prompts' blocks that the worker they went to had, on its device or in host memory
 * @param pulledRate share of them that it pulled
 * @param pulledBytes of all pulls
 * @param storedBytes that workers gave to kvstores
 * @param work tokens that each worker has computed
 * @param served requests in the order of the trace
 * @param seconds until the last token
 */
record Outcome(
        double localRate,
        double pulledRate,
        double pulledBytes,
        double storedBytes,
        Distribution work,
        List<Served> served,
        double seconds) {
    Outcome {
        served = List.copyOf(served);
    }

    /**
     * One request.
     *
     * @param tpotMillis NaN where there was one output token
     */
    record Served(double ttftMillis, double tpotMillis) {}

    /** Share of the prompts' blocks that were not computed. */
    double hitRate() {
        return localRate + pulledRate;
    }

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
