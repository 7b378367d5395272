package dev.kvasir.worker.engine;

import dev.kvasir.kvstore.transfer.PullPrice;
import dev.kvasir.protocol.KvSource;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Begins pulls. Called by the engine's thread, but for what says otherwise; must not block. */
public interface Puller {
    /** Never pulls. */
    Puller NONE = (need, sources) -> null;

    /** Begins to pull blocks; null where recomputing them is better, or nobody has them. */
    @Nullable
    Pull begin(PullNeed need, List<KvSource> sources);

    /** What pulling costs now where prompts are computed so fast; of any thread. */
    default PullPrice price(double tokensPerSecond) {
        return PullPrice.NONE;
    }
}
