package dev.kvasir.router;

import dev.kvasir.model.tokenizer.PromptException;
import dev.kvasir.protocol.BadRequestException;
import dev.kvasir.protocol.FailureKind;
import io.grpc.Status;
import java.util.HexFormat;
import java.util.concurrent.ThreadLocalRandom;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The one table that maps failures to what each door answers, and the one place where exceptions become failures. */
public final class Failures {
    private static final Logger LOG = LoggerFactory.getLogger(Failures.class);

    private Failures() {}

    /**
     * How the doors say it.
     *
     * @param grpc status code
     * @param http status code
     * @param type {@code error.type} of the OpenAI error object
     * @param code {@code error.code} of the OpenAI error object
     */
    public record Answer(Status.Code grpc, int http, String type, String code) {}

    public static Answer answer(FailureKind kind) {
        return switch (kind) {
            case INVALID_ARGUMENT ->
                new Answer(Status.Code.INVALID_ARGUMENT, 400, "invalid_request_error", "invalid_value");
            case CONTEXT_LENGTH_EXCEEDED ->
                new Answer(Status.Code.INVALID_ARGUMENT, 400, "invalid_request_error", "context_length_exceeded");
            case UNAUTHENTICATED ->
                new Answer(Status.Code.UNAUTHENTICATED, 401, "invalid_request_error", "invalid_api_key");
            case NOT_FOUND -> new Answer(Status.Code.NOT_FOUND, 404, "invalid_request_error", "model_not_found");
            case RESOURCE_EXHAUSTED ->
                new Answer(Status.Code.RESOURCE_EXHAUSTED, 429, "rate_limit_error", "rate_limit_exceeded");
            case UNAVAILABLE -> new Answer(Status.Code.UNAVAILABLE, 503, "server_error", "unavailable");
            case DEADLINE_EXCEEDED ->
                new Answer(Status.Code.DEADLINE_EXCEEDED, 504, "server_error", "deadline_exceeded");
            case CANCELLED -> new Answer(Status.Code.CANCELLED, 499, "server_error", "cancelled");
            case ABORTED -> new Answer(Status.Code.ABORTED, 409, "server_error", "resumed_elsewhere");
            case INTERNAL -> new Answer(Status.Code.INTERNAL, 500, "server_error", "internal_error");
        };
    }

    /**
     * What to tell the client about an exception. An unexpected one is logged under an id of which only the id leaves
     * the process.
     */
    public static Failure of(Throwable thrown) {
        return switch (thrown) {
            case RequestFailedException refused -> refused.failure();
            case BadRequestException bad ->
                new Failure(FailureKind.INVALID_ARGUMENT, String.valueOf(bad.getMessage()), bad.field(), 0);
            case PromptException refused ->
                new Failure(FailureKind.INVALID_ARGUMENT, String.valueOf(refused.getMessage()), "prompt", 0);
            default -> {
                var id = HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextLong());
                LOG.error("Unexpected failure {}", id, thrown);
                yield Failure.of(FailureKind.INTERNAL, "internal error " + id);
            }
        };
    }
}
