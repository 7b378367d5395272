package dev.kvasir.worker.schedule;

/**
 * What decides when a request is served.
 *
 * @param tenant whom its tokens are charged to; empty for those that name none
 * @param priority lower runs earlier
 * @param rank place among the tenant's own requests, lower first; see {@link Scheduler#rank}
 * @param arrival number of the request, rising
 */
public record Standing(String tenant, int priority, long rank, long arrival) {}
