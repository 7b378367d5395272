package dev.kvasir.router;

import dev.kvasir.protocol.Leases;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.WorkerProtocol.Alive;
import dev.kvasir.protocol.WorkerProtocol.Description;
import dev.kvasir.router.placement.WorkerId;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Watches over the workers and the streams that they have: who is asked for a sign of life and when, who is taken for lost,
 * what runs for nobody. Messages and times in, actions out; no clock, no actor.
 *
 * <p>Workers and routers hold leases of each other. A worker that does not answer for the length of one, whose engine is
 * stuck, or that cannot be reached, gets nothing more and loses its streams to others. Those that drain are asked like all
 * others, for as long as they are there.
 *
 * @param <R> how a worker is spoken to
 * @param <S> names a stream
 */
public final class Oversight<R, S> {
    private static final int LOOKS_PER_AUDIT = 8;

    /** What the owner is to do, in order. */
    public sealed interface Action<R, S> {
        /**
         * Ask for a sign of life. With an audit, also for what runs, and, once more, to be told of loads: a worker forgets a
         * router of which it hears that it is gone, and may hear that of its predecessor at the same address.
         */
        record Renew<R, S>(R worker, long sequence, boolean audit) implements Action<R, S> {}

        /** Ask who it is; answer with {@link Oversight#described}. */
        record Describe<R, S>(R worker) implements Action<R, S> {}

        /** Nobody wants what runs there. */
        record End<R, S>(R worker, RequestId requestId, long attempt) implements Action<R, S> {}

        /** A stream's worker is as good as lost. */
        record Lost<R, S>(S stream, WorkerId worker, String how) implements Action<R, S> {}
    }

    private static final class Stream<R> {
        private final RequestId requestId;
        private @Nullable WorkerId worker;
        private @Nullable R ref;

        Stream(RequestId requestId) {
            this.requestId = requestId;
        }
    }

    private final Workers<R> workers;
    private final Leases<WorkerId> leases;
    private final long leaseMillis;
    private final Map<S, Stream<R>> streams = new LinkedHashMap<>();
    private Set<R> listed = Set.of();
    private long looks;

    public Oversight(Workers<R> workers, long leaseNanos, long nowNanos) {
        this.workers = workers;
        this.leases = new Leases<>(leaseNanos, nowNanos);
        this.leaseMillis = leaseNanos / 1_000_000;
    }

    public void opened(S stream, RequestId requestId) {
        streams.put(stream, new Stream<>(requestId));
    }

    public void closed(S stream) {
        var gone = streams.remove(stream);
        if (gone != null) {
            workers.state().ended(gone.requestId.value());
        }
    }

    /** A stream's request is at a worker now, or at none. */
    public void given(S stream, @Nullable WorkerId worker, @Nullable R ref) {
        var open = streams.get(stream);
        if (open != null) {
            open.worker = worker;
            open.ref = ref;
        }
    }

    /** Workers that were met and are there, and those that streams have. */
    public Map<WorkerId, R> met() {
        var met = workers.described();
        for (var stream : streams.values()) {
            if (stream.worker != null && stream.ref != null) {
                met.put(stream.worker, stream.ref);
            }
        }
        return met;
    }

    /** Those that can be asked for what they know: silent ones are about to lose it. */
    public Map<WorkerId, R> heard() {
        var met = met();
        met.keySet().removeIf(worker -> !leases.holds(worker));
        return met;
    }

    /** To be called {@link Leases#LOOKS_PER_LEASE} times per lease. */
    public List<Action<R, S>> look(long nowNanos) {
        var actions = new ArrayList<Action<R, S>>();
        boolean audit = looks++ % LOOKS_PER_AUDIT == 0;
        met().values().forEach(worker -> actions.add(new Action.Renew<>(worker, looks, audit)));
        meetAnew(actions);
        for (var lost : leases.look(nowNanos)) {
            lost(lost, "has been silent for " + leaseMillis + " ms", actions);
        }
        return actions;
    }

    /** A worker answers. */
    public List<Action<R, S>> heard(Alive alive, long nowNanos) {
        var actions = new ArrayList<Action<R, S>>();
        for (var met : met().entrySet()) {
            if (met.getKey().incarnation() == alive.incarnation()) {
                heard(met.getKey(), met.getValue(), alive, nowNanos, actions);
                break;
            }
        }
        return actions;
    }

    private void heard(WorkerId worker, R ref, Alive alive, long nowNanos, List<Action<R, S>> actions) {
        if (alive.stuck()) {
            if (leases.lose(worker)) {
                lost(worker, "is stuck in a step for %d ms".formatted(alive.inStepMillis()), actions);
            }
            return;
        }
        leases.heard(worker, nowNanos);
        workers.suspect(worker, "");
        if (alive.audit()) {
            audit(worker, ref, alive, actions);
        }
    }

    /** Ends at a worker what this router does not know, or has given to another. */
    private void audit(WorkerId worker, R ref, Alive alive, List<Action<R, S>> actions) {
        var here = new HashSet<RequestId>();
        for (var stream : streams.values()) {
            if (worker.equals(stream.worker)) {
                here.add(stream.requestId);
            }
        }
        for (var running : alive.running()) {
            if (!here.contains(running.requestId())) {
                actions.add(new Action.End<>(ref, running.requestId(), running.attempt()));
            }
        }
    }

    private void lost(WorkerId worker, String how, List<Action<R, S>> actions) {
        workers.suspect(worker, "it " + how);
        streams.forEach((key, stream) -> {
            if (worker.equals(stream.worker)) {
                actions.add(new Action.Lost<>(key, worker, how));
            }
        });
    }

    /** All workers that are listed, and those of them that can be reached. */
    public List<Action<R, S>> listed(Set<R> all, Set<R> reachable) {
        var actions = new ArrayList<Action<R, S>>();
        listed = new LinkedHashSet<>(all); // In an order that is the same in each run of a simulation.
        workers.listed(all, reachable).forEach(worker -> actions.add(new Action.Describe<>(worker)));
        for (var worker : workers.listed()) {
            actions.addAll(reachable(worker, reachable.contains(worker)));
        }
        workers.publish();
        return actions;
    }

    /** A worker that is listed can be reached now, or not. */
    public List<Action<R, S>> reachable(R worker, boolean now) {
        var actions = new ArrayList<Action<R, S>>();
        var id = workers.id(worker);
        if (workers.reachable(worker, now) && id != null) {
            lost(id, "cannot be reached", actions);
        }
        return actions;
    }

    /** A worker says who it is. */
    public void described(R worker, Description description, Runnable unsubscribe, long nowNanos) {
        workers.described(worker, description, unsubscribe);
        var id = workers.id(worker);
        if (id != null) {
            leases.heard(id, nowNanos);
        }
        workers.publish();
    }

    /** One that is said to be no more and is listed all the same may live: its predecessor at its address is gone. */
    private void meetAnew(List<Action<R, S>> actions) {
        for (var worker : listed) {
            if (!workers.isKnown(worker) && workers.listed(worker)) {
                actions.add(new Action.Describe<>(worker));
            }
        }
    }

    /** A worker is no more, it is said. Its streams see that for themselves. */
    public void gone(R worker) {
        var id = workers.id(worker);
        workers.gone(worker);
        if (id != null) {
            leases.forget(id);
        }
        workers.publish();
    }
}
