package dev.kvasir.router;

import dev.kvasir.protocol.FailureKind;
import dev.kvasir.router.OutputEvent.Delta;
import dev.kvasir.router.OutputEvent.Usage;
import java.util.Arrays;

/** Takes the times of one request's tokens. */
final class StreamMeter {
    private static final long NEVER = Long.MIN_VALUE;

    private final RouterMetrics metrics;
    private final String model;
    private final long arrivalNanos;
    private final long[] lastTokenNanos;
    private boolean first = true;

    StreamMeter(ValidRequest request, RouterMetrics metrics) {
        this.metrics = metrics;
        this.model = request.model().name();
        this.arrivalNanos = request.arrivalNanos();
        this.lastTokenNanos = new long[request.generation().sampling().n()];
        Arrays.fill(lastTokenNanos, NEVER);
        metrics.opened(request);
    }

    void delta(Delta delta) {
        if (!delta.tokens().isEmpty()) {
            tokens(delta.outputIndex(), System.nanoTime());
        }
        var finish = delta.finish();
        if (finish != null) {
            metrics.outputFinished(model, finish.reason());
        }
    }

    private void tokens(int output, long now) {
        if (first) {
            first = false;
            metrics.firstToken(model, now - arrivalNanos);
        }
        if (lastTokenNanos[output] != NEVER) {
            metrics.nextToken(model, now - lastTokenNanos[output]);
        }
        lastTokenNanos[output] = now;
    }

    void completed(Usage usage) {
        metrics.completed(model, usage, System.nanoTime() - arrivalNanos);
    }

    void failed(FailureKind kind) {
        metrics.failed(model, kind);
    }

    void closed() {
        metrics.closed(model);
    }
}
