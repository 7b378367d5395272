package dev.kvasir.worker.kernel;

/** What every rank does, each on its own thread. */
@FunctionalInterface
public interface RankTask {
    void run(int rank);
}
