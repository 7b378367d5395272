package dev.kvasir.worker.kernel;

/** A model that is not split. */
record OneRank(Kernels kernels) implements Ranks {
    @Override
    public int count() {
        return 1;
    }

    @Override
    public Kernels kernels(int rank) {
        return kernels;
    }

    @Override
    public Exchange exchange(int rank) {
        throw new IllegalStateException("a model that is not split exchanges nothing");
    }

    @Override
    public void each(RankTask task) {
        task.run(0);
    }

    @Override
    public String describe() {
        return kernels.describe();
    }

    @Override
    public void close() {
        kernels.close();
    }
}
