package dev.kvasir.worker.engine;

import dev.kvasir.worker.schedule.FairnessSettings;
import dev.kvasir.worker.schedule.SchedulerLimits;
import java.util.Arrays;

/**
 * What an engine is built with.
 *
 * @param model served name
 * @param incarnation one life of the member, told to clients
 * @param kvOrigin digest of weights and configuration, and what computes: names whose blocks are the same
 * @param kvDtype element type of keys and values
 * @param maxModelLength most tokens of prompt and output together
 * @param waitingMax requests that may wait beyond those that could start
 * @param endTokenIds the model's end tokens
 * @param prefixCaching whether KV blocks are reused between requests
 * @param agingNanos waiting time that one step of priority is worth among requests of one tenant
 * @param fairness how service is shared between tenants
 * @param nameCacheBytes memory for names of blocks of long prompts; 0 for none
 */
@SuppressWarnings("ArrayRecordComponent") // A few end tokens, copied, never compared.
public record EngineSettings(
        String model,
        long incarnation,
        String kvOrigin,
        String kvDtype,
        int maxModelLength,
        SchedulerLimits limits,
        int waitingMax,
        int[] endTokenIds,
        boolean prefixCaching,
        long agingNanos,
        FairnessSettings fairness,
        long nameCacheBytes) {
    private static final long NAME_CACHE_BYTES = 32 << 20;

    public EngineSettings {
        endTokenIds = endTokenIds.clone();
    }

    /** With the usual fairness and memory for names. */
    public EngineSettings(
            String model,
            long incarnation,
            String kvOrigin,
            String kvDtype,
            int maxModelLength,
            SchedulerLimits limits,
            int waitingMax,
            int[] endTokenIds,
            boolean prefixCaching,
            long agingNanos) {
        this(
                model,
                incarnation,
                kvOrigin,
                kvDtype,
                maxModelLength,
                limits,
                waitingMax,
                endTokenIds,
                prefixCaching,
                agingNanos,
                FairnessSettings.defaults(),
                NAME_CACHE_BYTES);
    }

    /** Requests handed over and not yet seen by the engine's thread: no more than it could take at once. */
    public int submissionsMax() {
        return waitingMax + limits.sequencesMax();
    }

    boolean isEnd(int token) {
        for (int end : endTokenIds) {
            if (end == token) {
                return true;
            }
        }
        return false;
    }

    @Override
    public String toString() {
        return "%s, max-model-len %d, %s, at most %d waiting, end tokens %s, prefix caching %s"
                .formatted(
                        model,
                        maxModelLength,
                        limits,
                        waitingMax,
                        Arrays.toString(endTokenIds),
                        prefixCaching ? "on" : "off");
    }
}
