package dev.kvasir.worker.kernel.cuda;

/** How the GPUs of a split model exchange activations. */
public enum ExchangeWay {
    /** Short messages by reading each other's memory, long ones by NCCL; the one alone where the other is not there. */
    AUTO,
    /** By NCCL alone. */
    NCCL,
    /** By reading each other's memory alone. */
    PEER,
    /**
     * As {@link #PEER}; short sums go on with the norm that follows, and greedy tokens are chosen without telling each other all
     * logits. The kernels have not run on GPUs yet, so that {@link #AUTO} does not take it.
     */
    FUSED
}
