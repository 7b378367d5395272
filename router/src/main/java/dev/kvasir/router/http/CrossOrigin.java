package dev.kvasir.router.http;

import io.helidon.http.HeaderName;
import io.helidon.http.HeaderNames;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import java.util.Set;

/**
 * Which web pages may use the door from a browser (CORS): those of the origins that the settings name, of any with {@code *},
 * else none. Credentials that browsers send by themselves are never asked for; keys travel in a header that the page sets.
 */
final class CrossOrigin {
    private static final HeaderName ORIGIN = HeaderNames.create("Origin");
    private static final HeaderName ASKED_METHOD = HeaderNames.create("Access-Control-Request-Method");
    private static final HeaderName ASKED_HEADERS = HeaderNames.create("Access-Control-Request-Headers");

    private final Set<String> origins;

    CrossOrigin(Set<String> origins) {
        this.origins = origins;
    }

    /** Tells the browser, and whether its question was all that it wanted. */
    boolean answers(ServerRequest request, ServerResponse response) {
        var origin = request.headers().first(ORIGIN).orElse("");
        boolean any = origins.contains("*");
        if (origins.isEmpty() || origin.isEmpty() || !(any || origins.contains(origin))) {
            return false;
        }
        response.header("Access-Control-Allow-Origin", any ? "*" : origin);
        response.header("Access-Control-Expose-Headers", "X-Request-Id, Retry-After");
        if (!any) {
            response.header("Vary", "Origin");
        }
        var method = request.headers().first(ASKED_METHOD);
        if (method.isEmpty() || !request.prologue().method().text().equals("OPTIONS")) {
            return false;
        }
        response.header("Access-Control-Allow-Methods", "GET, POST");
        request.headers()
                .first(ASKED_HEADERS)
                .ifPresent(headers -> response.header("Access-Control-Allow-Headers", headers));
        response.header("Access-Control-Max-Age", "600");
        response.send();
        return true;
    }
}
