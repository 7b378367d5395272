package dev.kvasir.worker.kernel;

/** Content of all KV blocks of one worker, allocated once. Identity (hash, table, reference counts) is kept elsewhere. */
public interface KvStorage {
    KvLayout layout();

    int blockCount();

    /** Bytes held. */
    long byteSize();
}
