package dev.kvasir.worker.schedule;

import java.util.Comparator;
import java.util.Iterator;
import java.util.PriorityQueue;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Looks along the waiting sequences in the order of service without changing it: whoever is taken is charged in thought, so
 * that the next one is whose turn it would then be. Taking k of them costs O(k log k), however many tenants wait. One object,
 * used again for each look.
 */
final class Turns {
    private final TenantLine line;
    private final PriorityQueue<Later> later =
            new PriorityQueue<>(Comparator.comparingLong(Later::turn).thenComparing(Later::next, Sequence.ORDER));
    private Iterator<Account> tenants = new TreeSet<>(Account.BY_TURN).iterator();
    private @Nullable Account fresh;
    private @Nullable Later current;

    /** A tenant of whom some were taken in thought. */
    private record Later(Account account, long turn, long charged, Sequence next, Iterator<Sequence> rest) {}

    Turns(TenantLine line) {
        this.line = line;
    }

    /** From the first on. */
    void begin() {
        tenants = line.ready().iterator();
        later.clear();
        current = null;
        advance();
    }

    private void advance() {
        fresh = tenants.hasNext() ? tenants.next() : null;
    }

    /** Whose turn it is; null where nobody waits any more. To be followed by {@link #took}, unless the look is over. */
    @Nullable
    Sequence next() {
        var other = later.peek();
        var account = fresh;
        if (account != null && (other == null || isBefore(account, other))) {
            var rest = account.line.iterator();
            current = new Later(account, account.turn, 0, rest.next(), rest);
            advance();
        } else {
            current = later.poll();
        }
        return current == null ? null : current.next;
    }

    private static boolean isBefore(Account account, Later other) {
        int byTurn = Long.compare(account.turn, other.turn);
        return byTurn != 0 ? byTurn < 0 : Sequence.ORDER.compare(account.line.first(), other.next) < 0;
    }

    /** The one whose turn it was is served so many tokens of input. */
    void took(long inputTokens) {
        var taken = current;
        if (taken != null && taken.rest.hasNext()) {
            var next = taken.rest.next();
            long charged = taken.charged + inputTokens * line.settings().inputTokenWeight();
            later.add(new Later(taken.account, line.turn(taken.account, next, charged), charged, next, taken.rest));
        }
        current = null;
    }
}
