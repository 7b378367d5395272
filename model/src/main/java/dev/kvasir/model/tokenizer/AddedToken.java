package dev.kvasir.model.tokenizer;

/**
 * A token that is matched as text before the model's own vocabulary is asked.
 *
 * @param special whether it controls rather than says something; such a token is left out of decoded text on request
 */
record AddedToken(int id, String content, boolean special) {}
