package dev.kvasir.worker.engine;

/**
 * How much an engine has to do.
 *
 * @param running outputs that take part in steps
 * @param waiting outputs that wait to start, or to start again
 * @param tokensInFlight tokens known and to be computed, over all sequences; not those that waiting ones will find in caches or pull
 * @param freeBlocks blocks that no sequence uses, empty or cached
 * @param promptTokensPerSecond as prompts are computed lately; 0 where that is not known
 */
public record EngineLoad(
        int running, int waiting, long tokensInFlight, int freeBlocks, int totalBlocks, double promptTokensPerSecond) {}
