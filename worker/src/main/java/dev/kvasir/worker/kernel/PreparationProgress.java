package dev.kvasir.worker.kernel;

/** Told of preparations that take a while. */
@FunctionalInterface
public interface PreparationProgress {
    PreparationProgress NONE = (_, _) -> {};

    void prepared(int done, int total);
}
