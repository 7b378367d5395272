package dev.kvasir.bench;

import java.io.IOException;
import java.net.ConnectException;
import java.net.http.HttpConnectTimeoutException;
import java.util.concurrent.TimeoutException;

/**
 * Why a request failed.
 *
 * @param kind a few words under which failures are counted, such as {@code HTTP 429}
 * @param message what exactly, for the result file
 */
public record Failure(String kind, String message) {
    static Failure status(int status, String body) {
        return new Failure("HTTP " + status, shorten(body));
    }

    static Failure brokenStream(String message) {
        return new Failure("broken stream", message);
    }

    static Failure errorEvent(String message) {
        return new Failure("error in stream", shorten(message));
    }

    static Failure of(Throwable cause) {
        var message = cause.getMessage() == null ? cause.getClass().getSimpleName() : shorten(cause.getMessage());
        return switch (cause) {
            case ConnectException _, HttpConnectTimeoutException _ -> new Failure("no connection", message);
            case TimeoutException _ -> new Failure("timeout", message);
            case IOException _ -> new Failure("connection lost", message);
            default -> new Failure("client error", cause.getClass().getSimpleName() + ": " + message);
        };
    }

    private static String shorten(String text) {
        var oneLine = text.strip().replaceAll("\\s+", " ");
        return oneLine.length() <= 300 ? oneLine : oneLine.substring(0, 300) + "…";
    }
}
