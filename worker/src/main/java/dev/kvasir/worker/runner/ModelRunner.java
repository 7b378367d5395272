package dev.kvasir.worker.runner;

import dev.kvasir.worker.kernel.NearKv;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

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

    /** Whether steps are computed by the host's processors, as all else that a worker does. */
    default boolean onHost() {
        return false;
    }

    /**
     * Makes blocks readable for workers of the same host, and theirs for this one; null where there is no way. To be called
     * once, before the engine's thread begins. An exception says why a device cannot, and breaks nothing.
     */
    default @Nullable NearKv near() {
        return null;
    }

    /** What others' blocks are copied to from now on was taken from its owners before: steps begun so far are waited for. */
    default void fence() {}

    /** Computes keys and values of all the step's tokens, scores prompt tokens and chooses new ones as asked. */
    void run(Step step);

    /**
     * Whether a step may be begun before this one, which was begun, is finished, and compute with the tokens that this one
     * chooses. Then {@link #begin} and {@link #finish} are the two halves of {@link #run}.
     */
    default boolean mayBeFollowed(Step step) {
        return false;
    }

    /** Begins a step, after at most one that is not finished. */
    default void begin(Step step) {
        run(step);
    }

    /** Waits for the step that was begun first of those not finished, and notes its results. */
    default void finish(Step step) {}

    @Override
    void close();
}
