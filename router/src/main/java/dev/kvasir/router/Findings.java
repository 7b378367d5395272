package dev.kvasir.router;

import dev.kvasir.protocol.WorkerProtocol.Knowledge;
import dev.kvasir.router.placement.WorkerId;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What workers answer that were asked for a request: who has the highest attempt of it. */
public final class Findings {
    /** A worker and what it knows. */
    public record Finding(WorkerId worker, Knowledge knowledge) {}

    private final Set<WorkerId> asked;
    private @Nullable Finding best;

    public Findings(Set<WorkerId> asked) {
        this.asked = new HashSet<>(asked);
    }

    /** A worker has answered. */
    public void answered(WorkerId worker, Optional<Knowledge> knowledge) {
        if (!asked.remove(worker) || knowledge.isEmpty()) {
            return;
        }
        var found = new Finding(worker, knowledge.get());
        if (best == null || found.knowledge.attempt() > best.knowledge.attempt()) {
            best = found;
        }
    }

    /** Whether all have answered. */
    public boolean complete() {
        return asked.isEmpty();
    }

    public Optional<Finding> best() {
        return Optional.ofNullable(best);
    }
}
