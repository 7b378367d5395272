package dev.kvasir.router.grpc;

import com.google.protobuf.Any;
import com.google.protobuf.Duration;
import com.google.rpc.BadRequest;
import com.google.rpc.RetryInfo;
import com.google.rpc.Status;
import dev.kvasir.router.Failure;
import dev.kvasir.router.Failures;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;

/** Failures as gRPC says them: status and message, with the field at fault and the retry hint as typed details. */
final class GrpcErrors {
    private GrpcErrors() {}

    static StatusRuntimeException of(Throwable thrown) {
        return of(Failures.of(thrown));
    }

    static StatusRuntimeException of(Failure failure) {
        var status = Status.newBuilder()
                .setCode(Failures.answer(failure.kind()).grpc().value())
                .setMessage(failure.message());
        if (!failure.field().isEmpty()) {
            var violation = BadRequest.FieldViolation.newBuilder()
                    .setField(failure.field())
                    .setDescription(failure.message());
            status.addDetails(Any.pack(
                    BadRequest.newBuilder().addFieldViolations(violation).build()));
        }
        if (failure.retryAfterMillis() > 0) {
            status.addDetails(Any.pack(RetryInfo.newBuilder()
                    .setRetryDelay(duration(failure.retryAfterMillis()))
                    .build()));
        }
        return StatusProto.toStatusRuntimeException(status.build());
    }

    private static Duration duration(long millis) {
        return Duration.newBuilder()
                .setSeconds(millis / 1000)
                .setNanos(Math.toIntExact(millis % 1000 * 1_000_000))
                .build();
    }
}
