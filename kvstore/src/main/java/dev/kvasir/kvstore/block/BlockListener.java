package dev.kvasir.kvstore.block;

/** Is told, by the engine's thread, which blocks a {@link PrefixCache} knows. Must not change the cache. */
public interface BlockListener {
    BlockListener NONE = new BlockListener() {
        @Override
        public void stored(int block) {}

        @Override
        public void reused(int block) {}

        @Override
        public void evicting(int block) {}
    };

    /** The block is known now; its content is complete. */
    void stored(int block);

    /** The block was found again, for the first, second, fourth ... time. */
    void reused(int block);

    /** The block is about to be forgotten; name and content are still there. */
    void evicting(int block);
}
