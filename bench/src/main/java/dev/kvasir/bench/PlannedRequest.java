package dev.kvasir.bench;

/**
 * A request to be sent.
 *
 * @param group requests of one group begin with the same prefix; -1 for none
 * @param repeated an earlier request began with the same prefix
 * @param inputLength prompt length in tokens (words for text), prefix included
 */
record PlannedRequest(int index, int group, boolean repeated, Prompt prompt, int inputLength, int outputLength) {}
