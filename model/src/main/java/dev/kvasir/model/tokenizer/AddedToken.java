package dev.kvasir.model.tokenizer;

/**
 * A token that is matched as text before the model's own vocabulary is asked.
 *
 * @param special whether it controls rather than says something; such a token is left out of decoded text on request
 * @param matching how it is found
 */
record AddedToken(int id, String content, boolean special, Matching matching) {
    /**
     * How a token is found in a text.
     *
     * @param normalized in the text as the normaliser leaves it, rather than as it came
     * @param wordsAlone nowhere within a word
     * @param takesLeft white space before it belongs to it
     * @param takesRight white space after it belongs to it
     */
    record Matching(boolean normalized, boolean wordsAlone, boolean takesLeft, boolean takesRight) {}
}
