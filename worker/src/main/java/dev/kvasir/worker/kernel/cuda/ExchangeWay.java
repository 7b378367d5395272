package dev.kvasir.worker.kernel.cuda;

/** How the GPUs of a split model exchange activations. */
public enum ExchangeWay {
    /**
     * Two as {@link #FUSED}; of more, short messages by reading each other's memory and long ones by NCCL; the one alone where the
     * other is not there.
     */
    AUTO,
    /** By NCCL alone. */
    NCCL,
    /** By reading each other's memory alone. */
    PEER,
    /**
     * As {@link #PEER}; short sums go on with the norm that follows, and greedy tokens are chosen without telling each other all
     * logits.
     */
    FUSED
}
