package dev.kvasir.bench;

import java.util.Collection;
import java.util.stream.DoubleStream;

/** Latencies that are reported, in milliseconds. */
public enum Metric {
    TTFT("TTFT", "Time to first token") {
        @Override
        DoubleStream of(RequestResult result) {
            return DoubleStream.of(result.ttftMillis());
        }
    },
    ITL("ITL", "Inter-token latency") {
        @Override
        DoubleStream of(RequestResult result) {
            return result.itlMillis();
        }
    },
    TPOT("TPOT", "Time per output token") {
        @Override
        DoubleStream of(RequestResult result) {
            return DoubleStream.of(result.tpotMillis());
        }
    },
    E2E("E2E", "End-to-end latency") {
        @Override
        DoubleStream of(RequestResult result) {
            return DoubleStream.of(result.endToEndMillis());
        }
    };

    private final String shortName;
    private final String title;

    Metric(String shortName, String title) {
        this.shortName = shortName;
        this.title = title;
    }

    public String shortName() {
        return shortName;
    }

    public String title() {
        return title;
    }

    /** Figures of one request; NaN where it has none. */
    abstract DoubleStream of(RequestResult result);

    /** Figures of all requests that succeeded. */
    Distribution over(Collection<RequestResult> results) {
        return Distribution.of(results.stream()
                .filter(RequestResult::succeeded)
                .flatMapToDouble(this::of)
                .filter(value -> !Double.isNaN(value))
                .toArray());
    }
}
