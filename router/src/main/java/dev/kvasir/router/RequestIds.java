package dev.kvasir.router;

/** Ids of requests as clients know them. */
public final class RequestIds {
    private RequestIds() {}

    /** The id without what OpenAI's conventions put before it. */
    public static String bare(String id) {
        return id.replaceFirst("^(chatcmpl|cmpl)-", "");
    }
}
