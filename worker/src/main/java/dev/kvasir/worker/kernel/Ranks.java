package dev.kvasir.worker.kernel;

import java.util.OptionalLong;

/**
 * The ranks of a model: one where a single device computes all of it, several where each holds a part of every layer (tensor
 * parallelism, arXiv:1909.08053). One thread owns them all and decides; what it hands to {@link #each} the ranks do alike, the
 * first on the owner's thread, each other one on a thread of its own, which alone touches that rank's kernels.
 */
public interface Ranks extends AutoCloseable {
    int count();

    /** Kernels of a rank, to be used within {@link #each}. */
    Kernels kernels(int rank);

    /** How a rank talks to the others; there must be others. */
    Exchange exchange(int rank);

    /**
     * Has all ranks do the same, and returns when all have issued it. The first failure is thrown after that; ranks that
     * failed alone have left the others waiting, so that nothing can be computed any more.
     */
    void each(RankTask task);

    /** For people. */
    String describe();

    /** As {@link Kernels#numerics}: parts of sums are added in an order that depends on the number of ranks. */
    default String numerics() {
        return kernels(0).numerics() + (count() == 1 ? "" : "-of-" + count());
    }

    /** Device memory that every rank has left; empty where that is the host's. */
    default OptionalLong freeBytes() {
        var least = kernels(0).freeBytes();
        for (int rank = 1; rank < count() && least.isPresent(); rank++) {
            least = OptionalLong.of(
                    Math.min(least.getAsLong(), kernels(rank).freeBytes().orElse(0)));
        }
        return least;
    }

    @Override
    void close();

    /** The one rank of a model that is not split. */
    static Ranks one(Kernels kernels) {
        return new OneRank(kernels);
    }
}
