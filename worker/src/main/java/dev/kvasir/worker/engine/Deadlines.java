package dev.kvasir.worker.engine;

import dev.kvasir.protocol.FailureKind;
import dev.kvasir.worker.schedule.Forecast;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Decides which work is not worth doing: whose deadline has passed, and, while others wait, whose deadline would pass before
 * it is done. What has begun is ended only by its deadline; a worker with nothing better to do tries in any case. Refusing
 * early is what keeps a worker useful under overload: else it would work on answers that nobody waits for any more.
 */
final class Deadlines {
    private static final long NANOS_PER_MILLI = 1_000_000;
    private static final long RETRY_MIN_MILLIS = 100;
    private static final long RETRY_MAX_MILLIS = 30_000;

    /** Share of the time left that forecasts may fill, for they err. */
    private static final double FILL_ON_ARRIVAL = 0.8;

    private static final double FILL_ON_START = 1.2;

    private final Forecast forecast;

    Deadlines(Forecast forecast) {
        this.forecast = forecast;
    }

    /**
     * Of a request that comes.
     *
     * @param ahead requests that start before this one; 0 where it could start at once
     * @param alone whether there is nothing else to do
     */
    @Nullable
    Refusal onArrival(ActiveRequest request, int ahead, boolean alone, long nowNanos) {
        if (request.isLate(nowNanos)) {
            return Refusal.of(FailureKind.DEADLINE_EXCEEDED, "the deadline passed before the request was queued");
        }
        long left = request.nanosLeft(nowNanos);
        long wait = ahead == 0 ? 0 : forecast.waitNanos(ahead);
        if (left == ActiveRequest.NO_DEADLINE || alone || wait == Forecast.UNKNOWN || !request.isNew()) {
            return null;
        }
        long needed = wait + run(request);
        return needed <= FILL_ON_ARRIVAL * left
                ? null
                : new Refusal(
                        FailureKind.RESOURCE_EXHAUSTED,
                        "%d requests come first: this one would take %d ms and has %d ms left"
                                .formatted(ahead, needed / NANOS_PER_MILLI, left / NANOS_PER_MILLI),
                        retryMillis(needed - (long) (FILL_ON_ARRIVAL * left)));
    }

    /**
     * Of a request in the queue, or at work.
     *
     * @param contended whether others wait for what it would take
     */
    @Nullable
    Refusal later(ActiveRequest request, boolean contended, long nowNanos) {
        if (request.isLate(nowNanos)) {
            return Refusal.of(FailureKind.DEADLINE_EXCEEDED, "the deadline passed");
        }
        long left = request.nanosLeft(nowNanos);
        boolean hopeless = contended
                && left != ActiveRequest.NO_DEADLINE
                && request.isNew()
                && run(request) > FILL_ON_START * left;
        return hopeless
                ? Refusal.of(
                        FailureKind.DEADLINE_EXCEEDED,
                        "the request waited so long that it would not be done within the %d ms left"
                                .formatted(left / NANOS_PER_MILLI))
                : null;
    }

    private long run(ActiveRequest request) {
        return forecast.runNanos(request.request().sampling().maxTokens());
    }

    /**
     * When a request refused for want of room may come again: when those that wait now will have started.
     *
     * @param otherwise where that is not known
     */
    long retryMillis(int ahead, LongSupplier otherwise) {
        long wait = forecast.waitNanos(ahead);
        return wait == Forecast.UNKNOWN ? otherwise.getAsLong() : retryMillis(wait);
    }

    private static long retryMillis(long nanos) {
        return Math.clamp(nanos / NANOS_PER_MILLI, RETRY_MIN_MILLIS, RETRY_MAX_MILLIS);
    }
}
