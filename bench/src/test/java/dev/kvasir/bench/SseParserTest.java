package dev.kvasir.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

final class SseParserTest {
    private final List<String> events = new ArrayList<>();
    private final SseParser parser = new SseParser((data, nanos) -> events.add(nanos + " " + data));

    private void push(String text, long nanos) {
        parser.accept(text.getBytes(StandardCharsets.UTF_8), nanos);
    }

    @Test
    void anEventCarriesTheTimeOfItsLastByte() {
        push("data: {\"a\"", 1);
        push(":1}\n", 2);
        assertThat(events).isEmpty();
        push("\ndata: [DONE]\n\n", 3);
        assertThat(events).containsExactly("3 {\"a\":1}", "3 [DONE]");
    }

    @Test
    void everySplitOfTheBytesGivesTheSameEvents() {
        var stream = "data: één\r\n\r\n: comment\r\ndata:two\ndata: lines\n\nid: 4\revent: x\rdata: cr\r\r";
        var bytes = stream.getBytes(StandardCharsets.UTF_8);
        for (int split = 0; split <= bytes.length; split++) {
            var seen = new ArrayList<String>();
            var split2 = new SseParser((data, _) -> seen.add(data));
            split2.accept(java.util.Arrays.copyOf(bytes, split), 0);
            split2.accept(java.util.Arrays.copyOfRange(bytes, split, bytes.length), 0);
            assertThat(seen).as("split at %d", split).containsExactly("één", "two\nlines", "cr");
        }
    }

    @Test
    void eventsWithoutDataAreNone() {
        push(": keep-alive\n\nevent: ping\n\n", 1);
        assertThat(events).isEmpty();
    }
}
