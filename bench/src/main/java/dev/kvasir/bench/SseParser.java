package dev.kvasir.bench;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/**
 * Takes server-sent events (WHATWG HTML, section 9.2) out of bytes as they arrive. Bytes are pushed with the time of
 * their arrival, so an event carries the time at which its last byte came, not the time at which somebody read it.
 */
public final class SseParser {
    /** Bytes of one event; a server that sends more is broken. */
    static final int EVENT_MAX = 8 << 20;

    /** Told of each event. */
    public interface Listener {
        void event(String data, long nanos);
    }

    private final Listener listener;
    private final ByteArrayOutputStream line = new ByteArrayOutputStream(512);
    private final StringBuilder data = new StringBuilder();
    private boolean hasData;
    private boolean lastWasCarriageReturn;

    public SseParser(Listener listener) {
        this.listener = listener;
    }

    /** Takes the bytes that arrived at {@code nanos}. */
    public void accept(byte[] bytes, long nanos) {
        for (byte b : bytes) {
            if (b == '\n' && lastWasCarriageReturn) {
                lastWasCarriageReturn = false;
            } else if (b == '\n' || b == '\r') {
                lastWasCarriageReturn = b == '\r';
                endLine(nanos);
            } else {
                lastWasCarriageReturn = false;
                if (line.size() + data.length() >= EVENT_MAX) {
                    throw new IllegalStateException("an event is longer than " + EVENT_MAX + " bytes");
                }
                line.write(b);
            }
        }
    }

    private void endLine(long nanos) {
        var text = line.toString(StandardCharsets.UTF_8);
        line.reset();
        if (text.isEmpty()) {
            dispatch(nanos);
        } else if (text.startsWith("data:")) {
            data.append(hasData ? "\n" : "").append(text, text.startsWith("data: ") ? 6 : 5, text.length());
            hasData = true;
        }
    }

    private void dispatch(long nanos) {
        if (hasData) {
            var event = data.toString();
            data.setLength(0);
            hasData = false;
            listener.event(event, nanos);
        }
    }
}
