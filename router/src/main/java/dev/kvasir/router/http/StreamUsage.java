package dev.kvasir.router.http;

/** Which events of a stream say what the request has taken. */
enum StreamUsage {
    NONE,
    /** One at the end, for all outputs together ({@code include_usage}). */
    AT_END,
    /** Each besides, for its own output so far (vLLM's {@code continuous_usage_stats}). */
    IN_EACH_EVENT;

    /** As the client's {@code stream_options} say; as with vLLM the second means nothing without the first. */
    static StreamUsage of(boolean included, boolean continuous) {
        if (!included) {
            return NONE;
        }
        return continuous ? IN_EACH_EVENT : AT_END;
    }
}
