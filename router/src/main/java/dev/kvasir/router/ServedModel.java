package dev.kvasir.router;

import dev.kvasir.model.GenerationDefaults;
import java.util.List;

/**
 * What a router knows of a model that it serves.
 *
 * @param name under which workers describe it, and the first of the names clients may use
 * @param aliases further names
 * @param maxModelLength most tokens of prompt and output together
 * @param promptCharactersMax longer prompts are refused before they are tokenized
 */
public record ServedModel(
        String name,
        List<String> aliases,
        ModelText text,
        GenerationDefaults defaults,
        int maxModelLength,
        int vocabularySize,
        int promptCharactersMax) {
    /** No tokenizer that we serve has many tokens longer than this. */
    private static final int CHARACTERS_PER_TOKEN_MAX = 128;

    public ServedModel {
        aliases = List.copyOf(aliases);
        if (name.isEmpty()) {
            throw new IllegalArgumentException("served model name is empty");
        }
        if (maxModelLength < 2) {
            throw new IllegalArgumentException("max_model_len is " + maxModelLength + " but must be at least 2");
        }
        if (vocabularySize < 1) {
            throw new IllegalArgumentException("vocabulary size is " + vocabularySize + " but must be at least 1");
        }
    }

    public static ServedModel of(
            String name, ModelText text, GenerationDefaults defaults, int maxModelLength, int vocabularySize) {
        int charactersMax = (int) Math.min(Integer.MAX_VALUE, (long) maxModelLength * CHARACTERS_PER_TOKEN_MAX);
        return new ServedModel(name, List.of(), text, defaults, maxModelLength, vocabularySize, charactersMax);
    }

    public boolean isNamed(String candidate) {
        return name.equals(candidate) || aliases.contains(candidate);
    }
}
