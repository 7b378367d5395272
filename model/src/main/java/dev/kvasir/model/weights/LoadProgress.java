package dev.kvasir.model.weights;

/** Told of bytes of weights as they become ready; called by one thread, never with fewer bytes than before. */
@FunctionalInterface
public interface LoadProgress {
    LoadProgress NONE = (_, _) -> {};

    void loaded(long bytes, long totalBytes);
}
