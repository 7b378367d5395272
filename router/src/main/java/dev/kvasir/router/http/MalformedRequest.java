package dev.kvasir.router.http;

import dev.kvasir.protocol.Limits;
import io.helidon.http.DirectHandler.EventType;
import io.helidon.http.DirectHandler.TransportRequest;
import io.helidon.http.HeaderName;
import io.helidon.http.HeaderNames;
import io.helidon.http.Status;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Words for requests that are refused before a route sees them. The server says little more than that they are bad; what is
 * wrong follows from what it has read of them.
 */
final class MalformedRequest {
    private static final Pattern VERSION = Pattern.compile("HTTP/[0-9.]{1,8}");
    private static final Pattern BROKEN_ESCAPE = Pattern.compile("%(?![0-9A-Fa-f]{2})");
    private static final Pattern NUMBER = Pattern.compile("[0-9]{1,18}");
    private static final String VERSION_SERVED = "HTTP/1.1";

    private final int requestLineMax;
    private final int headersMax;

    MalformedRequest(int requestLineMax, int headersMax) {
        this.requestLineMax = requestLineMax;
        this.headersMax = headersMax;
    }

    /**
     * What to answer.
     *
     * @param message of the server; null where it keeps it to itself
     * @param arrived bytes of the request that have come so far
     */
    HttpRefusal refusal(
            TransportRequest request, EventType event, Status status, @Nullable String message, long arrived) {
        if (status.equals(Status.REQUEST_TIMEOUT_408)) {
            return HttpRefusal.of(status.code(), "request_timeout", said(status, message));
        }
        if (status.code() == Status.REQUEST_URI_TOO_LONG_414.code()) {
            return HttpRefusal.of(
                    status.code(),
                    "bad_request",
                    "the request line has more than %d bytes, which is the limit".formatted(requestLineMax));
        }
        boolean unsaid = message == null || message.isEmpty();
        if (event == EventType.BAD_REQUEST && status.equals(Status.BAD_REQUEST_400) && unsaid) {
            return badRequest(request, arrived);
        }
        return HttpRefusal.of(status.code(), event.name().toLowerCase(Locale.ROOT), said(status, message));
    }

    private static String said(Status status, @Nullable String message) {
        return message == null || message.isEmpty() ? status.reasonPhrase() : message;
    }

    private HttpRefusal badRequest(TransportRequest request, long arrived) {
        if (!request.protocolVersion().equals(VERSION_SERVED)) {
            return ofRequestLine(request.protocolVersion());
        }
        if (BROKEN_ESCAPE.matcher(request.path()).find()) {
            return bad("path %s has a %% without two hexadecimal digits after it"
                    .formatted(Limits.shorten(request.path())));
        }
        if (request.headers().size() == 0) {
            return arrived > headersMax
                    ? HttpRefusal.of(
                            431,
                            "headers_too_large",
                            "the headers have more than %d bytes together, which is the limit".formatted(headersMax))
                    : bad("headers, path or query are malformed: each header must be 'Name: value' of printable"
                            + " characters, and Host must be there");
        }
        return ofHeaders(request);
    }

    private static HttpRefusal ofRequestLine(String read) {
        var version = VERSION.matcher(read);
        if (version.find() && !version.group().equals(VERSION_SERVED)) {
            return HttpRefusal.of(
                    505,
                    "http_version_not_supported",
                    "the protocol is %s but must be %s".formatted(version.group(), VERSION_SERVED));
        }
        return bad("the request does not begin with 'METHOD PATH HTTP/1.1'");
    }

    private static HttpRefusal ofHeaders(TransportRequest request) {
        var lengths = values(request, HeaderNames.CONTENT_LENGTH);
        var encodings = values(request, HeaderNames.CONTENT_ENCODING);
        if (!lengths.isEmpty()
                && !values(request, HeaderNames.TRANSFER_ENCODING).isEmpty()) {
            return bad("Content-Length and Transfer-Encoding are both given but exclude each other");
        }
        if (lengths.size() > 1) {
            return bad("Content-Length is given %d times but may be given once".formatted(lengths.size()));
        }
        if (!lengths.isEmpty() && !NUMBER.matcher(lengths.getFirst()).matches()) {
            return bad(
                    "Content-Length is %s but must be a number of bytes".formatted(Limits.shorten(lengths.getFirst())));
        }
        if (!encodings.isEmpty()) {
            return HttpRefusal.of(
                    415,
                    "unsupported_media_type",
                    "Content-Encoding is %s but must be gzip, or absent"
                            .formatted(Limits.shorten(String.join(", ", encodings))));
        }
        var hosts = values(request, HeaderNames.HOST);
        return bad("Host is %s but must be given once, as a host or host:port"
                .formatted(hosts.isEmpty() ? "missing" : Limits.shorten(String.join(", ", hosts))));
    }

    private static List<String> values(TransportRequest request, HeaderName name) {
        return request.headers().all(name, List::of);
    }

    private static HttpRefusal bad(String message) {
        return HttpRefusal.of(400, "bad_request", message);
    }
}
