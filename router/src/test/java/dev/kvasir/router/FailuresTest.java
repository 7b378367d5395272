package dev.kvasir.router;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.protocol.BadRequestException;
import dev.kvasir.protocol.FailureKind;
import io.grpc.Status;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class FailuresTest {
    @ParameterizedTest
    @CsvSource({
        "INVALID_ARGUMENT, INVALID_ARGUMENT, 400, invalid_request_error",
        "CONTEXT_LENGTH_EXCEEDED, INVALID_ARGUMENT, 400, invalid_request_error",
        "NOT_FOUND, NOT_FOUND, 404, invalid_request_error",
        "RESOURCE_EXHAUSTED, RESOURCE_EXHAUSTED, 429, rate_limit_error",
        "UNAVAILABLE, UNAVAILABLE, 503, server_error",
        "DEADLINE_EXCEEDED, DEADLINE_EXCEEDED, 504, server_error",
        "CANCELLED, CANCELLED, 499, server_error",
        "INTERNAL, INTERNAL, 500, server_error"
    })
    void eachKindHasItsAnswers(FailureKind kind, Status.Code grpc, int http, String type) {
        var answer = Failures.answer(kind);
        assertThat(answer.grpc()).isEqualTo(grpc);
        assertThat(answer.http()).isEqualTo(http);
        assertThat(answer.type()).isEqualTo(type);
    }

    @ParameterizedTest
    @EnumSource
    void noKindIsWithoutAnAnswer(FailureKind kind) {
        assertThat(Failures.answer(kind).code()).isNotEmpty();
    }

    @Test
    void unexpectedExceptionTellsNothingButAnId() {
        var failure = Failures.of(new IllegalStateException("the secret is 42"));
        assertThat(failure.kind()).isEqualTo(FailureKind.INTERNAL);
        assertThat(failure.message()).matches("internal error [0-9a-f]{16}");
    }

    @Test
    void badRequestKeepsItsField() {
        assertThat(Failures.of(new BadRequestException("n", "n is 0")))
                .isEqualTo(new Failure(FailureKind.INVALID_ARGUMENT, "n is 0", "n", 0));
    }
}
