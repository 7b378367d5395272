package dev.kvasir.router.http;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kvasir.protocol.FailureKind;
import dev.kvasir.router.Failure;
import dev.kvasir.router.Failures;

/** An answer that is an error: status and OpenAI error object. Thrown where the door itself refuses a request. */
final class HttpRefusal extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int status;
    private final String type;
    private final String field;
    private final String code;
    private final long retryAfterMillis;

    private HttpRefusal(int status, String type, String code, String field, String message, long retryAfterMillis) {
        super(message, null, false, false);
        this.status = status;
        this.type = type;
        this.field = field;
        this.code = code;
        this.retryAfterMillis = retryAfterMillis;
    }

    /** A request that HTTP itself has a status for. */
    static HttpRefusal of(int status, String code, String message) {
        return new HttpRefusal(status, "invalid_request_error", code, "", message, 0);
    }

    static HttpRefusal of(Failure failure) {
        var answer = Failures.answer(failure.kind());
        return new HttpRefusal(
                answer.http(),
                answer.type(),
                answer.code(),
                failure.field(),
                failure.message(),
                failure.retryAfterMillis());
    }

    static HttpRefusal of(Throwable thrown) {
        return thrown instanceof HttpRefusal refusal ? refusal : of(Failures.of(thrown));
    }

    /** A field that we know of and cannot honour: silently ignoring it would give another answer than asked for. */
    static HttpRefusal unsupported(String field, String message) {
        return new HttpRefusal(
                Failures.answer(FailureKind.INVALID_ARGUMENT).http(),
                "invalid_request_error",
                "unsupported",
                field,
                message,
                0);
    }

    int status() {
        return status;
    }

    /** Seconds after which to try again; 0 where trying again is of no use or nothing is known. */
    long retryAfterSeconds() {
        boolean later = status == 429 || status == 503;
        return later ? Math.max(1, (retryAfterMillis + 999) / 1000) : 0;
    }

    ObjectNode body() {
        var body = Json.object();
        var error = body.putObject("error");
        error.put("message", Json.clean(String.valueOf(getMessage())));
        error.put("type", type);
        error.put("param", field.isEmpty() ? null : Json.clean(field));
        error.put("code", code);
        return body;
    }
}
