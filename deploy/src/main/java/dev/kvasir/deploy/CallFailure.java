package dev.kvasir.deploy;

import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.Objects;

/** Calls to a router's gRPC door that failed, in one line for people: a status's own text brings its stack trace along. */
final class CallFailure {
    private CallFailure() {}

    /** @param what did not come about, such as "does not drain a member" */
    static CommandException of(String router, String what, StatusRuntimeException failure) {
        var status = failure.getStatus();
        if (status.getCode() == Status.Code.NOT_FOUND) {
            return new CommandException(words(status), failure);
        }
        boolean nobody = status.getCode() == Status.Code.UNAVAILABLE && status.getCause() != null;
        return new CommandException(
                nobody
                        ? "no router answers at %s (--grpc): %s".formatted(router, words(status))
                        : "router %s %s: %s: %s".formatted(router, what, status.getCode(), words(status)),
                failure);
    }

    private static String words(Status status) {
        var cause = status.getCause();
        var words = cause == null ? status.getDescription() : cause.getMessage();
        return Objects.requireNonNullElse(words, "no reason given")
                .lines()
                .findFirst()
                .orElse("");
    }
}
