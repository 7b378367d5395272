package dev.kvasir.router;

import dev.kvasir.protocol.Attempt;
import dev.kvasir.protocol.WorkerProtocol.Knowledge;

/**
 * How a stream that broke off goes on. What its worker can tell again is claimed there; anything else is generated again, the
 * same tokens, for the seed is part of the request, after what still runs was ended.
 *
 * @param attempt that the session counts from
 * @param again placed anew instead of claimed
 * @param fenceFirst end what runs at the worker, with this attempt
 */
public record Takeover(long attempt, boolean again, boolean fenceFirst) {
    /**
     * For a request that a worker knows.
     *
     * @param reachable whether the worker that knows the request can be spoken to
     */
    public static Takeover of(Knowledge known, boolean reachable) {
        boolean again = !known.complete() || !reachable;
        return new Takeover(
                again ? Attempt.resumed(known.attempt()) : known.attempt(), again, reachable && !known.complete());
    }
}
