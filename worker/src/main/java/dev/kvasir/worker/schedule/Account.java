package dev.kvasir.worker.schedule;

import java.util.Comparator;
import java.util.TreeSet;

/**
 * A tenant as the order of service knows it: what it was served so far, and what it has waiting. Only {@link TenantLine}
 * changes one, and while it is in an ordered set only after taking it out.
 */
final class Account {
    /** Least served first. */
    static final Comparator<Account> BY_COUNTER =
            Comparator.comparingLong((Account a) -> a.counter).thenComparing(a -> a.tenant);

    /** Most waiting first. */
    static final Comparator<Account> BY_LENGTH =
            Comparator.comparingInt((Account a) -> -a.waitingCount).thenComparing(a -> a.tenant);

    /** Whose first request in line is next. */
    static final Comparator<Account> BY_TURN =
            Comparator.comparingLong((Account a) -> a.turn).thenComparing(a -> a.line.first(), Sequence.ORDER);

    final String tenant;

    /** Waiting sequences that may be started, by rank. */
    final TreeSet<Sequence> line = new TreeSet<>(Sequence.ORDER);

    /** Virtual tokens served. */
    long counter;

    /** Charged since, and not yet in the counter. */
    long owed;

    boolean owing;

    /** The counter, moved by the priority of the first in line. */
    long turn;

    /** Waiting sequences, with those that are set aside. */
    int waitingCount;

    /** Sequences that live, waiting or running. */
    int liveCount;

    Account(String tenant) {
        this.tenant = tenant;
    }

    @Override
    public String toString() {
        return "tenant '%s' (%d served, %d waiting, %d live)"
                .formatted(tenant, counter + owed, waitingCount, liveCount);
    }
}
