package dev.kvasir.worker.schedule;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * All live sequences of a worker: those running in the order of their ranks, those waiting in the order of service, which
 * shares what is served fairly between tenants. Notes what each tenant is served: the tokens of a prompt when it starts, but
 * for those found in a cache, and each token generated; what is computed again after a preemption is nobody's wish, and free.
 */
public final class Queues {
    private final List<Sequence> running = new ArrayList<>();
    private final List<Sequence> runningView = Collections.unmodifiableList(running);
    private final FairnessSettings fairness;
    private final TenantLine waiting;
    private final Turns turns;
    private int waitingSeats;

    public Queues() {
        this(FairnessSettings.defaults());
    }

    public Queues(FairnessSettings fairness) {
        this.fairness = fairness;
        this.waiting = new TenantLine(fairness);
        this.turns = new Turns(waiting);
    }

    /** By rank: the last gives its blocks back first. */
    public List<Sequence> running() {
        return runningView;
    }

    /** Begins to look along the new and the preempted ones, in the order of service; {@link #nextWaiting} goes on. */
    public void lookAlongWaiting() {
        turns.begin();
    }

    /** The next one that waits, or null; to be followed by {@link #tookWaiting} before the next call. */
    public @Nullable Sequence nextWaiting() {
        return turns.next();
    }

    /** The one looked at will have so many tokens of input computed; who comes next may depend on it. */
    public void tookWaiting(long inputTokens) {
        turns.took(inputTokens);
    }

    public int waitingCount() {
        return waiting.size();
    }

    /** The waiting sequence that is to give its place in a full queue to a tenant that has far fewer, or null. */
    public @Nullable Sequence givesWayTo(String tenant) {
        return waiting.givesWayTo(tenant);
    }

    /** Sequences that come before a new one of the tenant, at most and about. */
    public int aheadOf(String tenant) {
        long fair = (long) waiting.waitingOf(tenant) * Math.max(1, waiting.tenantsWaiting()) + waiting.tenantsWaiting();
        return (int) Math.min(waiting.size(), fair);
    }

    /** What a tenant was served, in virtual tokens. */
    public long served(String tenant) {
        return waiting.counter(tenant);
    }

    /** Tenants whose counters are kept. */
    public int tenantsKnown() {
        return waiting.tenantsKnown();
    }

    public boolean isEmpty() {
        return running.isEmpty() && waiting.size() == 0;
    }

    /** Outputs that running sequences stand for. */
    public int runningSeats() {
        int seats = 0;
        for (int i = 0; i < running.size(); i++) {
            seats += running.get(i).seats();
        }
        return seats;
    }

    /** Outputs that waiting sequences stand for, but for those set aside. */
    public int waitingSeats() {
        return waitingSeats;
    }

    /** A new sequence. */
    public void add(Sequence sequence) {
        waiting.arrive(sequence);
        waitingSeats += sequence.seats();
    }

    /** A waiting sequence may not start for now; the caller puts it back or finishes it. */
    public void setAside(Sequence sequence) {
        waiting.setAside(sequence);
        waitingSeats -= sequence.seats();
    }

    /** One that was set aside may start. */
    public void putBack(Sequence sequence) {
        waiting.putBack(sequence);
        waitingSeats += sequence.seats();
    }

    /** A waiting sequence runs, with so many blocks from the cache. */
    public void start(Sequence sequence, int cachedBlocks, int blockSize) {
        int promised = sequence.start(cachedBlocks, blockSize);
        waiting.leave(sequence);
        waitingSeats -= sequence.seats();
        insertRunning(sequence);
        charge(sequence, (long) fairness.inputTokenWeight() * promised);
    }

    /** A fork of a running sequence. */
    public void addRunning(Sequence fork) {
        waiting.forked(fork);
        insertRunning(fork);
    }

    /** A token was generated. */
    public void generated(Sequence sequence) {
        charge(sequence, fairness.outputTokenWeight());
    }

    /** A running sequence, whose blocks the caller gives back, waits again. */
    public void preempt(Sequence sequence) {
        sequence.preempt();
        running.remove(sequence);
        waiting.join(sequence);
        waitingSeats += sequence.seats();
    }

    /** A waiting sequence will have one output less. */
    public void dropSeat(Sequence sequence) {
        sequence.dropSeat();
        if (waiting.contains(sequence)) {
            waitingSeats--;
        }
    }

    /** A sequence leaves; the caller gives its blocks back. */
    public void finish(Sequence sequence) {
        if (sequence.state() == SequenceState.RUNNING) {
            running.remove(sequence);
        } else {
            if (waiting.contains(sequence)) {
                waitingSeats -= sequence.seats();
            }
            waiting.leave(sequence);
        }
        charge(sequence, -(long) fairness.inputTokenWeight() * sequence.promisedInVain());
        sequence.finish();
        waiting.gone(sequence);
    }

    private void charge(Sequence sequence, long units) {
        if (units != 0) {
            waiting.charge(sequence.account(), units);
        }
    }

    private void insertRunning(Sequence sequence) {
        int at = Collections.binarySearch(running, sequence, Sequence.ORDER);
        if (at >= 0) {
            throw new IllegalStateException(sequence + " runs already");
        }
        running.add(-at - 1, sequence);
    }
}
