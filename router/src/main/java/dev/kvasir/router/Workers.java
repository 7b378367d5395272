package dev.kvasir.router;

import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.protocol.WorkerProtocol.Description;
import dev.kvasir.protocol.WorkerProtocol.LoadReport;
import dev.kvasir.router.ClusterStatus.WorkerStatus;
import dev.kvasir.router.placement.ClusterState;
import dev.kvasir.router.placement.Compatibility.Traits;
import dev.kvasir.router.placement.LoadLedger;
import dev.kvasir.router.placement.LoadLedger.Capacity;
import dev.kvasir.router.placement.PrefixSource;
import dev.kvasir.router.placement.Roster;
import dev.kvasir.router.placement.WorkerId;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The workers that a router actor has heard of: who they are, whether they may serve, and what they have to do. */
final class Workers {
    private static final Logger LOG = LoggerFactory.getLogger(Workers.class);

    private final ClusterStatus status;
    private final Roster roster;
    private final ClusterState state;
    private final Map<ActorRef<WorkerProtocol.Command>, Known> known = new HashMap<>();
    private final Map<WorkerId, Known> byId = new HashMap<>();

    /** A worker; its fields are null until it has described itself. */
    private static final class Known {
        private final ActorRef<WorkerProtocol.Command> ref;
        private @Nullable Description description;
        private @Nullable WorkerId id;
        private @Nullable LoadReport load;
        private @Nullable Runnable unsubscribe;
        private String refusal = "";
        private boolean reachable = true;
        private String silence = "";

        Known(ActorRef<WorkerProtocol.Command> ref) {
            this.ref = ref;
        }
    }

    Workers(Collection<ServedModel> models, ClusterStatus status, PrefixSource prefixes) {
        this.status = status;
        this.state = new ClusterState(prefixes);
        this.roster = new Roster(
                WorkerProtocol.VERSION,
                models.stream().collect(Collectors.toMap(ServedModel::name, ServedModel::vocabularySize)));
    }

    ClusterState state() {
        return state;
    }

    boolean isNew(ActorRef<WorkerProtocol.Command> ref) {
        return !known.containsKey(ref);
    }

    boolean isKnown(ActorRef<WorkerProtocol.Command> ref) {
        return known.containsKey(ref);
    }

    void asked(ActorRef<WorkerProtocol.Command> ref) {
        known.computeIfAbsent(ref, Known::new);
    }

    /** Those that have described themselves. */
    Map<WorkerId, ActorRef<WorkerProtocol.Command>> described() {
        var refs = new HashMap<WorkerId, ActorRef<WorkerProtocol.Command>>();
        byId.forEach((id, worker) -> refs.put(id, worker.ref));
        return refs;
    }

    @Nullable
    WorkerId id(ActorRef<WorkerProtocol.Command> ref) {
        var worker = known.get(ref);
        return worker == null ? null : worker.id;
    }

    /** Whether a worker of the model gets no requests only because it is not heard. */
    boolean silent(ServedModel model) {
        return byId.values().stream()
                .anyMatch(worker -> worker.description != null
                        && worker.description.model().equals(model.name())
                        && !worker.silence.isEmpty()
                        && worker.refusal.equals(absence(worker)));
    }

    /** Gives a worker no requests, for as long as it is silent or stuck. */
    void suspect(WorkerId id, String why) {
        var worker = byId.get(id);
        if (worker != null && !worker.silence.equals(why)) {
            LOG.warn("Worker {}: {}", id, why.isEmpty() ? "it is heard again" : why);
            worker.silence = why;
            review();
            publish();
        }
    }

    @Nullable
    ActorRef<WorkerProtocol.Command> ref(WorkerId id) {
        var worker = byId.get(id);
        return worker == null ? null : worker.ref;
    }

    void described(ActorRef<WorkerProtocol.Command> ref, Description description, Runnable unsubscribe) {
        var worker = known.get(ref);
        if (worker == null) {
            return;
        }
        var id = new WorkerId(description.address(), description.incarnation());
        worker.description = description;
        worker.id = id;
        worker.unsubscribe = unsubscribe;
        byId.put(id, worker);
        roster.join(id, description.model(), traits(description));
        LOG.info("Worker {} joined: {}", id, description);
        review();
    }

    void reported(ActorRef<WorkerProtocol.Command> ref, LoadReport report) {
        var worker = known.get(ref);
        if (worker == null || worker.id == null) {
            return;
        }
        var news = new LoadLedger.Reported(
                report.epoch(),
                report.tokensInFlight(),
                report.runningSequences() + report.waitingSequences(),
                report.freeBlocks(),
                report.draining());
        if (state.ledger().contains(worker.id) && !state.ledger().reported(worker.id, news)) {
            return;
        }
        worker.load = report;
        publish();
    }

    /** Forgets all others. */
    void keepOnly(Set<ActorRef<WorkerProtocol.Command>> listed) {
        List.copyOf(known.keySet()).stream()
                .filter(ref -> !listed.contains(ref))
                .forEach(this::forget);
        review();
    }

    /** Notes who can be reached now; answers with those that could be until now. */
    List<ActorRef<WorkerProtocol.Command>> unreachable(Set<ActorRef<WorkerProtocol.Command>> reachable) {
        var lost = new ArrayList<ActorRef<WorkerProtocol.Command>>();
        for (var worker : known.values()) {
            boolean now = reachable.contains(worker.ref);
            if (worker.reachable && !now) {
                LOG.warn("Worker {} cannot be reached", worker.id);
                lost.add(worker.ref);
            }
            worker.reachable = now;
        }
        review();
        return lost;
    }

    private void forget(ActorRef<WorkerProtocol.Command> ref) {
        var worker = known.remove(ref);
        if (worker == null || worker.id == null) {
            return;
        }
        LOG.info("Worker {} left", worker.id);
        byId.remove(worker.id);
        roster.leave(worker.id);
        state.removed(worker.id);
        if (worker.unsubscribe != null) {
            worker.unsubscribe.run();
        }
    }

    /** Lets those serve that may, and no others. */
    private void review() {
        roster.refusals().forEach((id, refusal) -> {
            var worker = byId.get(id);
            if (worker == null || worker.description == null) {
                return;
            }
            if (!refusal.isEmpty() && !refusal.equals(worker.refusal)) {
                LOG.error("Worker {} of model {} is refused: {}", id, worker.description.model(), refusal);
            }
            worker.refusal = refusal.isEmpty() ? absence(worker) : refusal;
            if (worker.refusal.isEmpty()) {
                var description = worker.description;
                state.ledger()
                        .join(
                                id,
                                new Capacity(
                                        description.model(),
                                        description.maxModelLength(),
                                        description.blockSize(),
                                        description.totalBlocks()));
            } else {
                state.removed(id);
            }
        });
    }

    private static String absence(Known worker) {
        return worker.reachable ? worker.silence : "it cannot be reached";
    }

    void publish() {
        var workers = new ArrayList<WorkerStatus>();
        for (var worker : known.values()) {
            if (worker.description != null) {
                workers.add(new WorkerStatus(worker.description, worker.load, worker.refusal));
            }
        }
        status.publish(workers);
    }

    private static Traits traits(Description description) {
        return new Traits(
                description.protocolVersion(),
                description.fingerprint(),
                description.blockSize(),
                description.vocabularySize(),
                description.kvCacheDtype());
    }
}
