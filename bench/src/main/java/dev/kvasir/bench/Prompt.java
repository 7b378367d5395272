package dev.kvasir.bench;

/** What a request asks to continue. */
sealed interface Prompt {
    /** Token ids, used by the server as they are. */
    @SuppressWarnings("ArrayRecordComponent") // Written once, sent once, never compared.
    record Tokens(int[] ids) implements Prompt {}

    record Text(String text) implements Prompt {}
}
