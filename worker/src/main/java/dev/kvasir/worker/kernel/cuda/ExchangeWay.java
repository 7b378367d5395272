package dev.kvasir.worker.kernel.cuda;

/** How the GPUs of a split model exchange activations. */
public enum ExchangeWay {
    /** Short messages by reading each other's memory, long ones by NCCL; the one alone where the other is not there. */
    AUTO,
    /** By NCCL alone. */
    NCCL,
    /** By reading each other's memory alone. */
    PEER
}
