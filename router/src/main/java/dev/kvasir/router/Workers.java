package dev.kvasir.router;

import dev.kvasir.kvstore.transfer.PullPrice;
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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The workers that a router has heard of: who they are, whether they may serve, and what they have to do. One that is not
 * listed any more drains: it gets no requests, and is known until it is gone, for it may hold streams that somebody resumes.
 * Decisions without actors; used on one thread.
 *
 * @param <R> how a worker is spoken to
 */
public final class Workers<R> {
    private static final Logger LOG = LoggerFactory.getLogger(Workers.class);

    private static final String DRAINS = "it is draining";

    private final Consumer<List<WorkerStatus>> published;
    private final Roster roster;
    private final ClusterState state;
    private final Map<R, Known<R>> known = new LinkedHashMap<>();
    private final Map<WorkerId, Known<R>> byId = new LinkedHashMap<>();

    /** A worker; its fields are null until it has described itself. */
    private static final class Known<R> {
        private final R ref;
        private @Nullable Description description;
        private @Nullable WorkerId id;
        private @Nullable LoadReport load;
        private @Nullable Runnable unsubscribe;
        private String refusal = "";
        private boolean listed = true;
        private boolean reachable = true;
        private String silence = "";

        Known(R ref) {
            this.ref = ref;
        }
    }

    /** @param published told of all workers whenever something about them has changed */
    public Workers(Roster roster, PrefixSource prefixes, Consumer<List<WorkerStatus>> published) {
        this.roster = roster;
        this.state = new ClusterState(prefixes);
        this.published = published;
    }

    /** Of a router that serves the models. */
    static <R> Workers<R> of(Collection<ServedModel> models, ClusterStatus status, PrefixSource prefixes) {
        var vocabularies = models.stream().collect(Collectors.toMap(ServedModel::name, ServedModel::vocabularySize));
        return new Workers<>(new Roster(WorkerProtocol.VERSION, vocabularies), prefixes, status::publish);
    }

    public ClusterState state() {
        return state;
    }

    public boolean isKnown(R ref) {
        return known.containsKey(ref);
    }

    /** A worker is listed; true where it is to be asked to describe itself. */
    public boolean listed(R ref) {
        var worker = known.get(ref);
        if (worker == null) {
            known.put(ref, new Known<>(ref));
            return true;
        }
        if (!worker.listed) {
            worker.listed = true;
            join(worker);
            review();
        }
        return false;
    }

    /** A worker is not listed any more. One that has not described itself is forgotten. */
    public void unlisted(R ref) {
        var worker = known.get(ref);
        if (worker == null || !worker.listed) {
            return;
        }
        if (worker.id == null) {
            known.remove(ref);
            return;
        }
        LOG.info("Worker {} drains", worker.id);
        worker.listed = false;
        worker.refusal = DRAINS;
        roster.leave(worker.id);
        state.removed(worker.id);
        review();
    }

    /** All that are listed, and who of them can be reached now; answers with those to be asked to describe themselves. */
    List<R> listed(Set<R> all, Set<R> reachable) {
        List.copyOf(known.keySet()).stream().filter(ref -> !all.contains(ref)).forEach(this::unlisted);
        return reachable.stream().filter(this::listed).toList();
    }

    /** Those that have described themselves. */
    public Map<WorkerId, R> described() {
        var refs = new LinkedHashMap<WorkerId, R>();
        byId.forEach((id, worker) -> refs.put(id, worker.ref));
        return refs;
    }

    /** Those that may be given requests. */
    public List<Description> serving() {
        var serving = new ArrayList<Description>();
        for (var worker : byId.values()) {
            if (worker.description != null && worker.refusal.isEmpty()) {
                serving.add(worker.description);
            }
        }
        return serving;
    }

    public @Nullable WorkerId id(R ref) {
        var worker = known.get(ref);
        return worker == null ? null : worker.id;
    }

    /** Whether a worker of the model gets no requests only because it is not heard. */
    public boolean silent(ServedModel model) {
        return byId.values().stream()
                .anyMatch(worker -> worker.description != null
                        && worker.description.model().equals(model.name())
                        && worker.listed
                        && !worker.silence.isEmpty()
                        && worker.refusal.equals(absence(worker)));
    }

    /** Whether there is a worker of the model, whatever keeps it from requests just now, but one that drains. */
    public boolean known(ServedModel model) {
        return byId.values().stream()
                .anyMatch(worker -> worker.listed
                        && worker.description != null
                        && worker.description.model().equals(model.name()));
    }

    /** Gives a worker no requests, for as long as it is silent or stuck. */
    public void suspect(WorkerId id, String why) {
        var worker = byId.get(id);
        if (worker != null && !worker.silence.equals(why)) {
            LOG.warn("Worker {}: {}", id, why.isEmpty() ? "it is heard again" : why);
            worker.silence = why;
            review();
            publish();
        }
    }

    public @Nullable R ref(WorkerId id) {
        var worker = byId.get(id);
        return worker == null ? null : worker.ref;
    }

    /**
     * A worker says who it is.
     *
     * @param unsubscribe run when it is forgotten
     */
    public void described(R ref, Description description, Runnable unsubscribe) {
        var worker = known.get(ref);
        if (worker == null) {
            return;
        }
        var id = new WorkerId(description.address(), description.incarnation());
        worker.description = description;
        worker.id = id;
        worker.unsubscribe = unsubscribe;
        byId.put(id, worker);
        join(worker);
        LOG.info(
                "Worker {} joined: {} on {}; {} KV blocks of {} tokens in {}",
                id,
                description.model(),
                description.device(),
                description.totalBlocks(),
                description.blockSize(),
                description.kvCacheDtype());
        LOG.debug("Worker {} is {}", id, description);
        review();
    }

    private void join(Known<R> worker) {
        if (worker.id != null && worker.description != null && worker.listed) {
            roster.join(worker.id, worker.description.model(), traits(worker.description));
        }
    }

    public void reported(R ref, LoadReport report) {
        var worker = known.get(ref);
        if (worker == null || worker.id == null) {
            return;
        }
        var news = new LoadLedger.Reported(
                report.epoch(),
                report.tokensInFlight(),
                report.runningSequences() + report.waitingSequences(),
                report.freeBlocks(),
                report.draining(),
                new PullPrice(report.pullSetupTokens(), report.pullTokenCost()));
        if (state.ledger().contains(worker.id) && !state.ledger().reported(worker.id, news)) {
            return;
        }
        worker.load = report;
        publish();
    }

    /** Notes whether a worker can be reached; true where that was so until now and is no more. */
    public boolean reachable(R ref, boolean now) {
        var worker = known.get(ref);
        if (worker == null || worker.reachable == now) {
            return false;
        }
        if (!now) {
            LOG.warn("Worker {} cannot be reached", worker.id);
        }
        worker.reachable = now;
        review();
        return !now;
    }

    /** Those that are listed. */
    public List<R> listed() {
        return known.values().stream()
                .filter(worker -> worker.listed)
                .map(worker -> worker.ref)
                .toList();
    }

    /** A worker is no more. */
    public void gone(R ref) {
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
        review();
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

    private static String absence(Known<?> worker) {
        return worker.reachable ? worker.silence : "it cannot be reached";
    }

    public void publish() {
        var workers = new ArrayList<WorkerStatus>();
        for (var worker : known.values()) {
            if (worker.description != null) {
                workers.add(new WorkerStatus(worker.description, worker.load, worker.refusal));
            }
        }
        published.accept(workers);
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
