package dev.kvasir.worker.kernel.cpu;

/** Whether a row's result may depend on what is computed beside it. */
public enum Determinism {
    /** Same bits alone, in any batch, in any chunking of a prompt, on any x86 machine. */
    DETERMINISTIC,
    /** As {@code DETERMINISTIC} where that costs little, which is where oneDNN has no bf16 products; else as {@code FAST}. */
    AUTO,
    /** Also kernels whose order of additions depends on the number of rows, where they are faster. */
    FAST
}
