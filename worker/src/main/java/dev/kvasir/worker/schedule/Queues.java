package dev.kvasir.worker.schedule;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.SortedSet;
import java.util.TreeSet;

/** All live sequences of a worker, running and waiting, each kept in the order of service. */
public final class Queues {
    private final List<Sequence> running = new ArrayList<>();
    private final List<Sequence> runningView = Collections.unmodifiableList(running);
    private final TreeSet<Sequence> waiting = new TreeSet<>(Sequence.ORDER);
    private final SortedSet<Sequence> waitingView = Collections.unmodifiableSortedSet(waiting);

    /** In the order of service. */
    public List<Sequence> running() {
        return runningView;
    }

    /** New and preempted ones, in the order of service. */
    public SortedSet<Sequence> waiting() {
        return waitingView;
    }

    public boolean isEmpty() {
        return running.isEmpty() && waiting.isEmpty();
    }

    /** Outputs that running sequences stand for. */
    public int runningSeats() {
        int seats = 0;
        for (int i = 0; i < running.size(); i++) {
            seats += running.get(i).seats();
        }
        return seats;
    }

    /** Outputs that waiting sequences stand for. */
    public int waitingSeats() {
        int seats = 0;
        for (var sequence : waiting) {
            seats += sequence.seats();
        }
        return seats;
    }

    public void add(Sequence sequence) {
        waiting.add(sequence);
    }

    /** A waiting sequence is set aside; the caller adds it again or finishes it. */
    public void setAside(Sequence sequence) {
        waiting.remove(sequence);
    }

    /** A waiting sequence runs, with so many blocks from the cache. */
    public void start(Sequence sequence, int cachedBlocks, int blockSize) {
        sequence.start(cachedBlocks, blockSize);
        waiting.remove(sequence);
        insertRunning(sequence);
    }

    /** A fork of a running sequence. */
    public void addRunning(Sequence fork) {
        insertRunning(fork);
    }

    /** A running sequence, whose blocks the caller gives back, waits again. */
    public void preempt(Sequence sequence) {
        sequence.preempt();
        running.remove(sequence);
        waiting.add(sequence);
    }

    /** A sequence leaves; the caller gives its blocks back. */
    public void finish(Sequence sequence) {
        if (sequence.state() == SequenceState.RUNNING) {
            running.remove(sequence);
        } else {
            waiting.remove(sequence);
        }
        sequence.finish();
    }

    private void insertRunning(Sequence sequence) {
        int at = Collections.binarySearch(running, sequence, Sequence.ORDER);
        if (at >= 0) {
            throw new IllegalStateException(sequence + " runs already");
        }
        running.add(-at - 1, sequence);
    }
}
