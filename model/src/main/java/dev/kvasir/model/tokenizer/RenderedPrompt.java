package dev.kvasir.model.tokenizer;

import java.util.Arrays;

/**
 * A prompt as text that knows which of its characters came from strings of the request (message contents, tools,
 * documents) and which from the chat template. Only the template's own characters may become control tokens.
 */
public final class RenderedPrompt {
    private final String text;
    private final int[] requestSpans;
    private final String template;

    /**
     * @param requestSpans start (inclusive) and end (exclusive) of each stretch from the request, ascending and disjoint
     * @param template source of the template; added tokens that it spells out are its markers, special or not
     */
    public RenderedPrompt(String text, int[] requestSpans, String template) {
        int before = 0;
        for (int place : requestSpans) {
            if (place < before || place > text.length()) {
                throw new IllegalArgumentException("spans %s do not ascend within a text of %d characters"
                        .formatted(Arrays.toString(requestSpans), text.length()));
            }
            before = place;
        }
        if (requestSpans.length % 2 != 0) {
            throw new IllegalArgumentException("a span without an end in " + Arrays.toString(requestSpans));
        }
        this.text = text;
        this.requestSpans = requestSpans.clone();
        this.template = template;
    }

    public String text() {
        return text;
    }

    /** Start and end of each stretch from the request. */
    public int[] requestSpans() {
        return requestSpans.clone();
    }

    String template() {
        return template;
    }

    @Override
    public String toString() {
        return text;
    }
}
