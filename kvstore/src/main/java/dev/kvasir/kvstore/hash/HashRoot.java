package dev.kvasir.kvstore.hash;

/**
 * Everything besides tokens that the content of a KV block, and the right to read it, depends on.
 *
 * @param modelFingerprint digest of weights and configuration, and name of what computes, as far as bits depend on it
 * @param adapter name and digest of a fine-tuned adapter; empty for none
 * @param kvDtype element type of keys and values
 * @param blockSize token slots per block
 * @param tenantSalt derived by the server from the authenticated tenant; empty where there are no tenants
 * @param cacheSalt chosen by the client; empty for none
 */
public record HashRoot(
        String modelFingerprint, String adapter, String kvDtype, int blockSize, String tenantSalt, String cacheSalt) {
    public HashRoot {
        if (blockSize < 1) {
            throw new IllegalArgumentException("block size is " + blockSize + " but must be at least 1");
        }
    }
}
