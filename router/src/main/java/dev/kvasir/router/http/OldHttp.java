package dev.kvasir.router.http;

import java.nio.charset.StandardCharsets;
import java.util.Locale;

/**
 * Requests of HTTP/1.0, which proxies (nginx without {@code proxy_http_version}) and health checks (HAProxy) still send, as
 * HTTP/1.1 has them: another version, and a {@code Host} where there is none. The connection has to close after the answer;
 * one whose length is not known comes in chunks all the same, which those proxies understand.
 */
final class OldHttp {
    private static final String VERSION = " HTTP/1.0";
    private static final String END_OF_HEADERS = "\r\n\r\n";

    private OldHttp() {}

    /** Whether a connection's first bytes begin a request of HTTP/1.0. */
    static boolean begins(byte[] bytes) {
        int line = 0;
        while (line < bytes.length && bytes[line] != '\r' && bytes[line] != '\n') {
            line++;
        }
        int from = line - VERSION.length();
        return from > 0
                && line < bytes.length
                && new String(bytes, from, VERSION.length(), StandardCharsets.ISO_8859_1).equals(VERSION);
    }

    /** Such bytes as a request of HTTP/1.1 begins. */
    static byte[] renewed(byte[] bytes) {
        var text = new String(bytes, StandardCharsets.ISO_8859_1);
        int end = text.indexOf(END_OF_HEADERS);
        boolean named =
                end < 0 || text.substring(0, end).toLowerCase(Locale.ROOT).contains("\r\nhost:");
        return text.replaceFirst(VERSION + "(\r?\n)", " HTTP/1.1$1" + (named ? "" : "Host: localhost\r\n"))
                .getBytes(StandardCharsets.ISO_8859_1);
    }
}
