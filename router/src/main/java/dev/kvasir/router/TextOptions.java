package dev.kvasir.router;

import java.util.List;

/**
 * What a request wants of its text; the router's part, as {@code SamplingParameters} is the worker's.
 *
 * @param stop texts that end an output
 * @param includeStop keep the stop text, or stop token's text, at the end of the output
 * @param echo begin each output's text with the prompt
 * @param reportPromptTokens report the prompt's token ids at the start
 */
public record TextOptions(
        List<String> stop, boolean includeStop, boolean skipSpecialTokens, boolean echo, boolean reportPromptTokens) {
    public static final int STOP_MAX = 16;
    public static final int STOP_CHARACTERS_MAX = 256;

    public TextOptions {
        stop = List.copyOf(stop);
    }

    public static TextOptions plain() {
        return new TextOptions(List.of(), false, true, false, false);
    }
}
