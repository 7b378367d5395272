package dev.kvasir.bench;

import java.util.random.RandomGenerator;

/** When requests are sent. */
public sealed interface Schedule {
    /** Bound of requests in flight, whatever the schedule. */
    int IN_FLIGHT_MAX = 65_536;

    /** So many streams, each sending its next request when the last was answered. */
    record Closed(int concurrency) implements Schedule {
        public Closed {
            requireInFlight(concurrency);
        }

        @Override
        public String toString() {
            return "closed loop, " + concurrency + (concurrency == 1 ? " stream" : " streams");
        }
    }

    /**
     * Requests sent at times that do not depend on the answers, so that a slow server cannot slow the questions down.
     *
     * @param rate mean requests per second; infinite sends all at once
     * @param burstiness shape of the gamma-distributed gaps: 1 is a Poisson process, less is burstier, more is steadier
     * @param inFlightMax requests beyond this wait at the client; their wait counts as latency
     */
    record Open(double rate, double burstiness, int inFlightMax) implements Schedule {
        public Open {
            if (!(rate > 0)) {
                throw new IllegalArgumentException("request rate must be above 0, is " + rate);
            }
            if (!(burstiness > 0) || burstiness > 1000) {
                throw new IllegalArgumentException("burstiness must be in (0, 1000], is " + burstiness);
            }
            requireInFlight(inFlightMax);
        }

        /** Intended send times in nanoseconds from the start, rising; the first request is sent at once. */
        long[] sendTimes(int count, RandomGenerator random) {
            var times = new long[count];
            double seconds = 0;
            for (int i = 1; i < count; i++) {
                seconds += Gamma.draw(burstiness, random) / (burstiness * rate);
                times[i] = Math.round(seconds * 1e9);
            }
            return times;
        }

        @Override
        public String toString() {
            return "open loop, %s requests/s, burstiness %s".formatted(rate, burstiness);
        }
    }

    private static void requireInFlight(int value) {
        if (value < 1 || value > IN_FLIGHT_MAX) {
            throw new IllegalArgumentException("concurrency must be in 1..%d, is %d".formatted(IN_FLIGHT_MAX, value));
        }
    }
}
