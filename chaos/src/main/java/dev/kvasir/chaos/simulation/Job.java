package dev.kvasir.chaos.simulation;

import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.SamplingParameters;
import dev.kvasir.router.ValidRequest;

/**
 * One request of the workload, and what its client does about it.
 *
 * @param arrivalNanos when its client sends it
 * @param deadlineNanos after which the client has no use for an answer; {@link #NEVER} for a client that waits
 * @param cancelAfterTokens the client gives up once it has so many tokens; {@link #NEVER} for one that does not
 * @param resumes a client that goes on at another router when its connection breaks
 */
record Job(ValidRequest request, long arrivalNanos, long deadlineNanos, int cancelAfterTokens, boolean resumes) {
    static final int NEVER = Integer.MAX_VALUE;

    RequestId id() {
        return request.generation().id();
    }

    SamplingParameters sampling() {
        return request.generation().sampling();
    }

    boolean mayEndEarly() {
        return deadlineNanos != NEVER || cancelAfterTokens != NEVER;
    }

    @Override
    public String toString() {
        return "%s: %d tokens of prompt, %s, tenant '%s'"
                .formatted(
                        id(),
                        request.generation().prompt().length,
                        sampling(),
                        request.generation().tenant().name());
    }
}
