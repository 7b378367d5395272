package dev.kvasir.kvstore.index;

import java.util.List;

/**
 * Consecutive events of one holder's feed. A holder numbers its events from 1, whoever listens.
 *
 * @param firstSequence number of the first event
 */
public record EventBatch(Holder holder, long firstSequence, List<BlockEvent> events) {
    public EventBatch {
        events = List.copyOf(events);
    }

    /** Number of the last event. */
    public long lastSequence() {
        return firstSequence + events.size() - 1;
    }
}
