package dev.kvasir.router;

import dev.kvasir.protocol.RequestId;

/** Ids of requests as clients know them. */
public final class RequestIds {
    private RequestIds() {}

    /** The id without what OpenAI's conventions put before it. */
    public static String bare(String id) {
        return id.replaceFirst("^(chatcmpl|cmpl)-", "");
    }

    /** Of one prompt among several, of which the client knows the first one's id alone. */
    public static RequestId part(String first, int prompt) {
        return new RequestId(prompt == 0 ? first : first + "-" + prompt);
    }
}
