package dev.kvasir.chaos.sharing;

/**
 * A request that was answered.
 *
 * @param firstMillis from when it was sent until its first token
 * @param totalMillis until its last
 * @param promptTokens that it had
 * @param cachedTokens of them that were not computed
 * @param worker address of the member that answered it
 */
record Sample(double firstMillis, double totalMillis, int promptTokens, int cachedTokens, String worker) {
    boolean isFrom(String clusterAddress) {
        return worker.endsWith(clusterAddress);
    }
}
