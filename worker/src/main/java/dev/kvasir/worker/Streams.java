package dev.kvasir.worker;

import dev.kvasir.protocol.Delivery;
import dev.kvasir.protocol.Leases;
import dev.kvasir.protocol.RequestId;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.protocol.WorkerProtocol.Running;
import dev.kvasir.worker.engine.ActiveRequest;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The requests of a worker, running and kept. Decides what becomes of each when routers speak, fall silent or speak for
 * another's request: the higher attempt always wins, and a router whose lease has ended loses its requests, which stop and
 * wait to be claimed. Belongs to the worker's actor; time comes from outside.
 */
public final class Streams {
    private static final Logger LOG = LoggerFactory.getLogger(Streams.class);
    private static final long NANOS_PER_MILLI = 1_000_000;

    private final long incarnation;
    private final Consumer<ActiveRequest> engine;
    private final Consumer<RequestId> ended;
    private final Map<RequestId, HeldRequest> held = new HashMap<>();
    private final Leases<String> routers;
    private final Retention retention;
    private final long resumeWaitNanos;

    /**
     * @param engine takes requests; their sinks hear all else
     * @param ended told by the engine's thread when a request has left it
     */
    public Streams(
            long incarnation,
            Consumer<ActiveRequest> engine,
            StreamSettings settings,
            long nowNanos,
            Consumer<RequestId> ended) {
        this.incarnation = incarnation;
        this.engine = engine;
        this.ended = ended;
        this.resumeWaitNanos = settings.resumeWait().toNanos();
        this.routers = new Leases<>(settings.lease().toNanos(), nowNanos);
        this.retention =
                new Retention(settings.retention().toNanos(), settings.retainedMax(), settings.retainedBytesMax());
    }

    /** Requests that the engine works on. */
    public int inEngine() {
        return Math.toIntExact(
                held.values().stream().filter(HeldRequest::inEngine).count());
    }

    public void open(WorkerProtocol.Generate generate, long nowNanos) {
        var id = generate.request().id();
        long attempt = generate.continuation().attempt();
        routers.heard(generate.router(), nowNanos);
        var before = held.get(id);
        if (before != null && before.attempt() > attempt) {
            generate.replyTo().tell(new Delivery.Superseded(id, attempt));
            return;
        }
        if (before != null && before.attempt() == attempt) {
            before.tellAgain(generate.replyTo(), incarnation, List.of(), false);
            return;
        }
        if (before != null) {
            before.supersede();
            retention.forget(id);
        }
        var request = new HeldRequest(generate, who -> ended.accept(who.id()));
        held.put(id, request);
        run(request, deadline(generate.deadlineMillis(), nowNanos), nowNanos);
    }

    /** Lets the engine go on with a request; one of which all is said is kept. */
    private void run(HeldRequest request, long deadlineNanos, long nowNanos) {
        var active = request.goOn(deadlineNanos);
        if (active != null) {
            retention.forget(request.id());
            engine.accept(active);
        } else {
            request.quietSince(nowNanos);
            retention.keep(request.id(), request.bytes(), nowNanos);
        }
    }

    /** Requests that nobody was done with and that somebody may resume soon; a worker that drains waits for them. */
    public int awaited(long nowNanos) {
        return Math.toIntExact(held.values().stream()
                .filter(request -> request.awaited(resumeWaitNanos, nowNanos))
                .count());
    }

    private static long deadline(long millis, long nowNanos) {
        if (millis <= 0 || millis > Long.MAX_VALUE / NANOS_PER_MILLI / 2) {
            return ActiveRequest.NO_DEADLINE;
        }
        return nowNanos + millis * NANOS_PER_MILLI;
    }

    public void cancel(WorkerProtocol.Cancel cancel) {
        var request = held.get(cancel.requestId());
        if (request == null || request.attempt() > cancel.attempt()) {
            return;
        }
        if (cancel.outputIndex().isPresent()) {
            request.dropOutput(cancel.outputIndex().getAsInt());
        } else {
            request.release();
            request.park();
        }
    }

    public void again(WorkerProtocol.Again again, long nowNanos) {
        var request = held.get(again.requestId());
        if (request != null && request.attempt() > again.attempt()) {
            again.replyTo().tell(new Delivery.Superseded(again.requestId(), again.attempt()));
        } else if (request == null || request.attempt() < again.attempt()) {
            again.replyTo().tell(new Delivery.Unknown(again.requestId(), again.attempt()));
        } else {
            boolean stopped = request.stopped();
            request.tellAgain(again.replyTo(), incarnation, again.next(), again.promptScored());
            if (stopped) { // Its router was taken for dead, and was not.
                run(request, ActiveRequest.NO_DEADLINE, nowNanos);
            }
        }
    }

    public void claim(WorkerProtocol.Claim claim, long nowNanos) {
        routers.heard(claim.router(), nowNanos);
        var request = held.get(claim.requestId());
        if (request == null) {
            claim.replyTo().tell(new Delivery.Unknown(claim.requestId(), claim.attempt()));
        } else if (request.attempt() > claim.attempt()
                || (request.attempt() == claim.attempt() && !request.router().equals(claim.router()))) {
            claim.replyTo().tell(new Delivery.Superseded(claim.requestId(), claim.attempt()));
        } else {
            boolean stopped = request.stopped();
            request.claimed(claim.attempt(), claim.router());
            request.tellAgain(claim.replyTo(), incarnation, List.of(), false);
            if (stopped) {
                run(request, deadline(claim.deadlineMillis(), nowNanos), nowNanos);
            }
        }
    }

    public WorkerProtocol.Found find(RequestId id) {
        return new WorkerProtocol.Found(
                incarnation, Optional.ofNullable(held.get(id)).map(HeldRequest::knowledge));
    }

    public void renewed(String router, long nowNanos) {
        routers.heard(router, nowNanos);
    }

    public List<Running> runningFor(String router) {
        return held.values().stream()
                .filter(request -> request.running() && request.router().equals(router))
                .map(request -> new Running(request.id(), request.attempt()))
                .toList();
    }

    /** Parks the requests of routers whose lease has ended, and drops what has been kept long enough. */
    public void look(long nowNanos) {
        for (var router : routers.look(nowNanos)) {
            var orphans = held.values().stream()
                    .filter(request -> request.running() && request.router().equals(router))
                    .toList();
            if (!orphans.isEmpty()) {
                LOG.warn("Router {} is silent; {} requests of it stop and can be resumed", router, orphans.size());
            }
            orphans.forEach(HeldRequest::park);
            routers.forget(router);
        }
        retention.drop(nowNanos).forEach(held::remove);
    }

    /** Gives everything that runs back to its router, to go on elsewhere. */
    public void handBack(String why) {
        held.values().stream().filter(HeldRequest::running).toList().forEach(request -> request.handBack(why));
    }

    public void ended(RequestId id, long nowNanos) {
        var request = held.get(id);
        if (request == null || request.inEngine()) {
            return;
        }
        if (request.worthKeeping()) {
            request.quietSince(nowNanos);
            retention.keep(id, request.bytes(), nowNanos);
            retention.drop(nowNanos).forEach(held::remove);
        } else {
            held.remove(id);
        }
    }
}
