package dev.kvasir.worker.runner;

import java.lang.foreign.MemorySegment;

/**
 * Computes steps of a model: all that touches weights and KV content. Called by the engine's thread alone. An exception of
 * any method but {@link #close} means that the device or the model is broken for good; the failure of one sequence is
 * noted in its {@link SequenceWork} instead.
 */
public interface ModelRunner extends AutoCloseable {
    int vocabularySize();

    /** KV blocks there are; never changes. */
    int blockCount();

    /** Copies a block's content before the next {@link #run}, in the order of calls. */
    void copyBlock(int from, int to);

    /** Bytes of a block's content, the same for all. */
    long blockBytes();

    /** Copies a block's content out, as it is after the last {@link #run}; {@code to} has {@link #blockBytes}. */
    void readBlock(int block, MemorySegment to);

    /** Copies a block's content in, before the next {@link #run}. */
    void writeBlock(int block, MemorySegment from);

    /** Computes keys and values of all the step's tokens, scores prompt tokens and chooses new ones as asked. */
    void run(Step step);

    @Override
    void close();
}
