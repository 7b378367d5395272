package dev.kvasir.router.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kvasir.protocol.Limits;
import dev.kvasir.router.Access;
import io.helidon.common.buffers.DataReader;
import io.helidon.http.HeaderName;
import io.helidon.http.HeaderNames;
import io.helidon.http.Method;
import io.helidon.webserver.CloseConnectionException;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.zip.ZipException;
import org.jspecify.annotations.Nullable;

/** One request and its response: bodies, headers and the names that clients give to requests. */
final class Exchange {
    private static final HeaderName REQUEST_ID = HeaderNames.create("X-Request-Id");
    private static final HeaderName LAST_EVENT_ID = HeaderNames.create("Last-Event-ID");
    private static final HeaderName TENANT = HeaderNames.create("X-Kvasir-Tenant");
    private static final HeaderName TIMEOUT = HeaderNames.create("X-Kvasir-Timeout-Ms");
    private static final int REQUEST_ID_MAX = 128;
    /** So many bodies of the largest size are read only to be thrown away, when one is refused. */
    private static final int SKIPPED_BODIES = 4;

    private final ServerRequest request;
    private final ServerResponse response;
    private final int bodyBytesMax;
    private final long arrivalNanos;
    private final String requestId;
    private Access.@Nullable Caller caller;
    private @Nullable InputStream bodyBegun;
    private boolean bodyRead;
    private boolean bodyLost;

    Exchange(ServerRequest request, ServerResponse response, int bodyBytesMax, long arrivalNanos) {
        this.request = request;
        this.response = response;
        this.bodyBytesMax = bodyBytesMax;
        this.arrivalNanos = arrivalNanos;
        this.requestId = requestId(request);
        response.header(REQUEST_ID, requestId);
    }

    ServerResponse response() {
        return response;
    }

    long arrivalNanos() {
        return arrivalNanos;
    }

    /** For logs and for the client to recognise; never a key. */
    String requestId() {
        return requestId;
    }

    /** Whether client or server said that the connection closes after this. */
    boolean isLast() {
        return isClose(request.headers().first(HeaderNames.CONNECTION))
                || isClose(response.headers().first(HeaderNames.CONNECTION));
    }

    private static boolean isClose(Optional<String> header) {
        return header.filter("close"::equalsIgnoreCase).isPresent();
    }

    String method() {
        return request.prologue().method().text();
    }

    String pathParameter(String name) {
        return request.path().pathParameters().get(name);
    }

    Optional<String> query(String name) {
        return request.query().first(name).asOptional();
    }

    /** Finds out who sent the request; one that may not come in is refused. */
    void admit(Access access) {
        caller = access.admit(
                request.headers().first(HeaderNames.AUTHORIZATION).orElse(null),
                request.headers().first(TENANT).orElse(null));
    }

    /** Who sent the request, once it was let in. */
    Access.Caller caller() {
        return Objects.requireNonNull(caller);
    }

    /** How long the client waits for its answer at most, if it says so. */
    Optional<Duration> timeout() {
        return request.headers().first(TIMEOUT).map(Exchange::timeout);
    }

    private static Duration timeout(String text) {
        boolean number = text.length() <= 15 && !text.isEmpty() && text.chars().allMatch(c -> c >= '0' && c <= '9');
        long millis = number ? Long.parseLong(text) : 0;
        Limits.require(millis >= 1, TIMEOUT.defaultCase(), text, "a number of milliseconds, at least 1");
        return Duration.ofMillis(millis);
    }

    /** What a client of server-sent events says when it comes back. */
    Optional<String> lastEventId() {
        return request.headers().first(LAST_EVENT_ID);
    }

    void send(int status, JsonNode body) {
        send(status, "application/json", Json.bytes(body));
    }

    void send(int status, String type, byte[] body) {
        response.status(status);
        response.header("Content-Type", type);
        send(request, response, body);
    }

    /** HEAD is answered as GET is, without the body: a client would take that for the beginning of the next answer. */
    static void send(ServerRequest request, ServerResponse response, byte[] body) {
        if (request.prologue().method().equals(Method.HEAD)) {
            response.header("Content-Length", Integer.toString(body.length));
            response.send();
        } else {
            response.send(body);
        }
    }

    void send(HttpRefusal refusal) {
        if (refusal.status() == 401) {
            response.header(HeaderNames.WWW_AUTHENTICATE, "Bearer");
        }
        if (refusal.retryAfterSeconds() > 0) {
            response.header("Retry-After", Long.toString(refusal.retryAfterSeconds()));
        }
        if (!bodyRead && !skipBody()) {
            response.header("Connection", "close");
        }
        send(refusal.status(), refusal.body());
    }

    /** The body, which must be a JSON object of bounded size. */
    ObjectNode json() {
        requireJson();
        long announced = request.headers().contentLength().orElse(0);
        if (announced > bodyBytesMax) {
            throw tooLarge(announced + " bytes");
        }
        if (!request.content().hasEntity()) {
            return Json.parse(new byte[0]);
        }
        byte[] body = body();
        if (body.length > bodyBytesMax) {
            throw tooLarge("more");
        }
        return Json.parse(body);
    }

    /** The body, or a byte more of it than is allowed. */
    private byte[] body() {
        var bytes = new ByteArrayOutputStream();
        var part = new byte[1 << 14];
        try {
            var in = request.content().inputStream();
            bodyBegun = in;
            int count = in.read(part);
            while (count >= 0 && bytes.size() <= bodyBytesMax) {
                bytes.write(part, 0, count);
                count = in.read(part);
            }
            bodyRead = count < 0;
            return bytes.toByteArray();
        } catch (DataReader.InsufficientDataAvailableException e) {
            throw new CloseConnectionException("the client hung up amid its request", e);
        } catch (ZipException | EOFException e) {
            throw notGzip(e);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (UncheckedIOException e) {
            if (e.getCause() instanceof ZipException || e.getCause() instanceof EOFException) {
                throw notGzip(e.getCause());
            }
            if (e.getCause() instanceof SocketTimeoutException) {
                bodyLost = true;
                throw HttpRefusal.of(408, "request_timeout", "the request's body did not arrive in time");
            }
            throw e;
        }
    }

    private HttpRefusal notGzip(Throwable why) {
        bodyLost = true;
        return HttpRefusal.of(400, "invalid_body", "Content-Encoding is gzip but the body is not: " + why.getMessage());
    }

    /**
     * Reads what is left of the body, within reason: a client that is still sending when the connection closes does not
     * see why.
     */
    private boolean skipBody() {
        if (bodyLost) {
            return false;
        }
        if (!request.content().hasEntity()) {
            return true;
        }
        long most = SKIPPED_BODIES * (long) bodyBytesMax;
        if (request.headers().contentLength().orElse(0) > most) {
            return false;
        }
        var nothing = new byte[1 << 14];
        try {
            var in = bodyBegun != null ? bodyBegun : request.content().inputStream();
            long skipped = 0;
            int count = in.read(nothing);
            while (count >= 0 && skipped <= most) {
                skipped += count;
                count = in.read(nothing);
            }
            return count < 0;
        } catch (IOException | UncheckedIOException | IllegalStateException _) {
            return false;
        }
    }

    private HttpRefusal tooLarge(String size) {
        return HttpRefusal.of(
                413, "request_too_large", "body has %s but may have at most %d bytes".formatted(size, bodyBytesMax));
    }

    private void requireJson() {
        var type = request.headers().first(HeaderNames.CONTENT_TYPE).orElse("");
        var media = type.split(";", 2)[0].strip().toLowerCase(Locale.ROOT);
        if (!media.equals("application/json")) {
            throw HttpRefusal.of(
                    415,
                    "unsupported_media_type",
                    type.isEmpty()
                            ? "Content-Type is missing but must be application/json"
                            : "Content-Type is %s but must be application/json".formatted(Limits.shorten(type)));
        }
    }

    private static String requestId(ServerRequest request) {
        var given = request.headers().first(REQUEST_ID).orElse("");
        boolean sane = !given.isEmpty()
                && given.length() <= REQUEST_ID_MAX
                && given.chars().allMatch(c -> c > 0x20 && c < 0x7f);
        return sane
                ? given
                : HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextLong());
    }
}
