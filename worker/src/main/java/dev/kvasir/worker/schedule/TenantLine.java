package dev.kvasir.worker.schedule;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * The waiting sequences of all tenants in the order of service, by virtual token counters (Sheng et al., "Fairness in
 * Serving Large Language Models", OSDI 2024). Each tenant is charged for what it is served; next is the first in line of the
 * tenant that was served least, its counter moved by the priority of that request. Within a tenant the rank decides.
 *
 * <p>A tenant that has nothing waiting earns nothing: when it comes back, its counter is lifted to the least one of those who
 * wait. What it was served beyond that stays its debt, which is remembered for a bounded number of tenants; forgetting the
 * others costs nothing, for they would be lifted anyway.
 *
 * <p>Each change costs O(log tenants); charges are collected and put into order when somebody asks for it. Used by the
 * engine's thread alone.
 */
final class TenantLine {
    private final FairnessSettings settings;
    private final Map<String, Account> accounts = new HashMap<>();
    private final TreeSet<Account> ready = new TreeSet<>(Account.BY_TURN);
    private final TreeSet<Account> waiting = new TreeSet<>(Account.BY_COUNTER);
    private final TreeSet<Account> longest = new TreeSet<>(Account.BY_LENGTH);
    private final TreeSet<Account> idle = new TreeSet<>(Account.BY_COUNTER);
    private final List<Account> owing = new ArrayList<>();
    private @Nullable Account lastToLeave;
    private long floor;
    private int size;

    TenantLine(FairnessSettings settings) {
        this.settings = settings;
    }

    FairnessSettings settings() {
        return settings;
    }

    /** Sequences that wait to be started, without those that are set aside. */
    int size() {
        return size;
    }

    /** A new sequence, which waits. */
    void arrive(Sequence sequence) {
        var account = accounts.computeIfAbsent(sequence.tenant(), this::open);
        idle.remove(account);
        account.liveCount++;
        sequence.account(account);
        join(sequence);
    }

    private Account open(String tenant) {
        var account = new Account(tenant);
        account.counter = floor;
        return account;
    }

    /** A sequence of a tenant that is here begins to wait. */
    void join(Sequence sequence) {
        settle();
        var account = sequence.account();
        if (account.waitingCount == 0) {
            floor = Math.max(floor, leastWaiting());
            account.counter = Math.max(account.counter, floor);
            waiting.add(account);
        }
        longest.remove(account);
        account.waitingCount++;
        longest.add(account);
        putBack(sequence);
        dropForgettable();
    }

    private long leastWaiting() {
        if (!waiting.isEmpty()) {
            return waiting.first().counter;
        }
        return lastToLeave == null ? floor : lastToLeave.counter;
    }

    /** A waiting sequence may not be started for now; its tenant still waits. */
    void setAside(Sequence sequence) {
        settle();
        takeOut(sequence);
    }

    /** One that was set aside may be started again. */
    void putBack(Sequence sequence) {
        settle();
        var account = sequence.account();
        ready(account, false);
        account.line.add(sequence);
        size++;
        ready(account, true);
    }

    /** Whether it waits and is not set aside. */
    boolean contains(Sequence sequence) {
        return sequence.account().line.contains(sequence);
    }

    private void takeOut(Sequence sequence) {
        var account = sequence.account();
        ready(account, false);
        if (account.line.remove(sequence)) {
            size--;
        }
        ready(account, true);
    }

    /** A sequence waits no more, for it starts or leaves; set aside or not. */
    void leave(Sequence sequence) {
        settle();
        takeOut(sequence);
        var account = sequence.account();
        longest.remove(account);
        if (--account.waitingCount == 0) {
            waiting.remove(account);
            lastToLeave = account;
        } else {
            longest.add(account);
        }
        if (!waiting.isEmpty()) {
            floor = Math.max(floor, waiting.first().counter);
        }
    }

    /** A running sequence has one more beside it, of the same tenant. */
    void forked(Sequence fork) {
        fork.account().liveCount++;
    }

    /** A sequence that does not wait has ended. */
    void gone(Sequence sequence) {
        settle();
        var account = sequence.account();
        if (--account.liveCount == 0) {
            idle.add(account);
            dropForgettable();
        }
    }

    private void dropForgettable() {
        while (!idle.isEmpty() && (idle.first().counter <= floor || idle.size() > settings.tenantsMax())) {
            accounts.remove(idle.pollFirst().tenant);
        }
    }

    /** Charges a tenant; less than nothing for what it was charged and did not get. */
    void charge(Account account, long units) {
        account.owed += units;
        if (!account.owing) {
            account.owing = true;
            owing.add(account);
        }
    }

    private void settle() {
        for (int i = 0; i < owing.size(); i++) {
            var account = owing.get(i);
            boolean waits = account.waitingCount > 0;
            boolean rests = account.liveCount == 0 && idle.remove(account);
            ready(account, false);
            if (waits) {
                waiting.remove(account);
            }
            account.counter += account.owed;
            account.owed = 0;
            account.owing = false;
            if (waits) {
                waiting.add(account);
            }
            if (rests) {
                idle.add(account);
            }
            ready(account, true);
        }
        owing.clear();
    }

    private void ready(Account account, boolean in) {
        if (account.line.isEmpty()) {
            return;
        }
        if (in) {
            account.turn = turn(account.counter, account.line.first());
            ready.add(account);
        } else {
            ready.remove(account);
        }
    }

    private long turn(long counter, Sequence first) {
        return counter + (long) first.priority() * settings.priorityTokens();
    }

    /** Tenants in the order in which the first in line of each would be served. */
    SortedSet<Account> ready() {
        settle();
        return ready;
    }

    /** The key of a tenant's next request, if it were charged so much more. */
    long turn(Account account, Sequence next, long more) {
        return turn(account.counter + more, next);
    }

    /**
     * Who gives its place in a full queue to a request of the tenant: the last in line of the tenant with most waiting that
     * has not begun, if that tenant would still have no fewer than the other then has. Null where nobody has to.
     */
    @Nullable
    Sequence givesWayTo(String tenant) {
        if (longest.isEmpty()) {
            return null;
        }
        var most = longest.first();
        var newcomer = accounts.get(tenant);
        int has = newcomer == null ? 0 : newcomer.waitingCount;
        if (most.waitingCount < has + 2) {
            return null;
        }
        for (var sequence : most.line.descendingSet()) {
            if (sequence.isNew()) {
                return sequence;
            }
        }
        return null;
    }

    /** Tenants that have something waiting. */
    int tenantsWaiting() {
        return waiting.size();
    }

    /** Sequences that a tenant has waiting. */
    int waitingOf(String tenant) {
        var account = accounts.get(tenant);
        return account == null ? 0 : account.waitingCount;
    }

    /** Tenants remembered. */
    int tenantsKnown() {
        return accounts.size();
    }

    /** What a tenant was served, for tests and metrics; the floor where it is not known. */
    long counter(String tenant) {
        settle();
        var account = accounts.get(tenant);
        return account == null ? floor : account.counter;
    }
}
