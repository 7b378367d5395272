package dev.kvasir.protocol;

/** What a worker says about one attempt of a request; the attempt tells late words of an older one from those that count. */
public sealed interface Delivery extends WireMessage {
    RequestId requestId();

    long attempt();

    /** Something happened. */
    record Event(long attempt, StreamEvent event) implements Delivery {
        @Override
        public RequestId requestId() {
            return event.requestId();
        }
    }

    /** The worker has no such attempt: it never got it, or has forgotten it. */
    record Unknown(RequestId requestId, long attempt) implements Delivery {}

    /** Another router streams the request now; this attempt is over. */
    record Superseded(RequestId requestId, long attempt) implements Delivery {}
}
