package dev.kvasir.chaos.simulation;

import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.router.placement.ClusterState;
import dev.kvasir.router.placement.Compatibility.Traits;
import dev.kvasir.router.placement.LoadLedger;
import dev.kvasir.router.placement.LoadLedger.Capacity;
import dev.kvasir.router.placement.Roster;
import dev.kvasir.router.placement.WorkerId;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The workers that a router has heard of, around {@link Roster} and {@link ClusterState}. */
final class KnownWorkers {
    private final Roster roster =
            new Roster(WorkerProtocol.VERSION, Map.of(StandInModel.NAME, StandInModel.VOCABULARY));
    private final ClusterState state = new ClusterState(_ -> null);
    private final Set<Life> listed = new LinkedHashSet<>();
    private final Set<Life> unreachable = new LinkedHashSet<>();
    private final Set<WorkerId> silent = new LinkedHashSet<>();
    private final Map<WorkerId, Life> lives = new LinkedHashMap<>();
    private final Map<WorkerId, WorkerProtocol.Description> descriptions = new LinkedHashMap<>();

    ClusterState state() {
        return state;
    }

    boolean listed(Life life) {
        return listed.add(life);
    }

    boolean isListed(Life life) {
        return listed.contains(life);
    }

    /** Those that have described themselves. */
    Map<WorkerId, Life> all() {
        return lives;
    }

    @Nullable
    Life life(WorkerId id) {
        return lives.get(id);
    }

    @Nullable
    WorkerId id(Life life) {
        return lives.entrySet().stream()
                .filter(known -> known.getValue() == life)
                .map(Map.Entry::getKey)
                .findFirst()
                .orElse(null);
    }

    /** Whether that was news. */
    boolean described(Life life, WorkerProtocol.Description description) {
        var id = new WorkerId(description.address(), description.incarnation());
        if (!listed.contains(life) || lives.putIfAbsent(id, life) != null) {
            return false;
        }
        descriptions.put(id, description);
        var traits = new Traits(
                description.protocolVersion(),
                description.fingerprint(),
                description.blockSize(),
                description.vocabularySize(),
                description.kvCacheDtype());
        roster.join(id, description.model(), traits);
        review();
        return true;
    }

    void reported(WorkerId id, WorkerProtocol.LoadReport report) {
        state.ledger()
                .reported(
                        id,
                        new LoadLedger.Reported(
                                report.epoch(),
                                report.tokensInFlight(),
                                report.runningSequences() + report.waitingSequences(),
                                report.freeBlocks(),
                                report.draining()));
    }

    void reachable(Life life, boolean now) {
        if (now) {
            unreachable.remove(life);
        } else {
            unreachable.add(life);
        }
        review();
    }

    void suspect(WorkerId id, boolean isSilent) {
        boolean news = isSilent ? silent.add(id) : silent.remove(id);
        if (news) {
            review();
        }
    }

    /** Whether one gets no requests only because it is not heard. */
    boolean someAreSilent() {
        return lives.keySet().stream().anyMatch(silent::contains)
                || lives.values().stream().anyMatch(unreachable::contains);
    }

    void forget(Life life) {
        listed.remove(life);
        unreachable.remove(life);
        var id = id(life);
        if (id != null) {
            lives.remove(id);
            descriptions.remove(id);
            silent.remove(id);
            roster.leave(id);
            state.removed(id);
            review();
        }
    }

    private void review() {
        roster.refusals().forEach((id, refusal) -> {
            var description = descriptions.get(id);
            var life = lives.get(id);
            if (description != null && refusal.isEmpty() && !silent.contains(id) && !unreachable.contains(life)) {
                var capacity = new Capacity(
                        description.model(),
                        description.maxModelLength(),
                        description.blockSize(),
                        description.totalBlocks());
                state.ledger().join(id, capacity);
            } else {
                state.removed(id);
            }
        });
    }
}
