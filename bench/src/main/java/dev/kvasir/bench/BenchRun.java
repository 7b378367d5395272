package dev.kvasir.bench;

import java.time.Instant;
import java.util.List;

/** A benchmark that was run: what was asked for and what was seen. */
public record BenchRun(
        Instant started,
        Target target,
        Workload workload,
        Schedule schedule,
        int warmUpCount,
        ServiceLevel serviceLevel,
        List<RequestResult> results) {
    public BenchRun {
        results = List.copyOf(results);
    }

    public Summary summary() {
        return Summary.of(results, serviceLevel);
    }
}
