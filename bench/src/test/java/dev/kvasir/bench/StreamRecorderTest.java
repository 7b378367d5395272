package dev.kvasir.bench;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class StreamRecorderTest {
    private final StreamRecorder recorder = new StreamRecorder();

    @Test
    void textIsTimedAndUsageRead() {
        recorder.event("{\"choices\":[{\"text\":\"a\"}]}", 10);
        recorder.event("{\"choices\":[{\"text\":\"\",\"finish_reason\":null}]}", 15);
        recorder.event("{\"choices\":[{\"text\":\"b\",\"finish_reason\":\"length\"}]}", 20);
        recorder.event(
                "{\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3,"
                        + "\"prompt_tokens_details\":{\"cached_tokens\":4}}}",
                21);
        recorder.event("[DONE]", 22);
        recorder.end();
        assertThat(recorder.times()).containsExactly(10, 20);
        assertThat(recorder.promptTokens()).isEqualTo(7);
        assertThat(recorder.completionTokens()).isEqualTo(3);
        assertThat(recorder.cachedTokens()).isEqualTo(4);
        assertThat(recorder.failure()).isNull();
    }

    @Test
    void theOpeningRoleOfAChatIsNoText() {
        recorder.event("{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}", 1);
        recorder.event("{\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}", 2);
        assertThat(recorder.times()).containsExactly(2);
    }

    @Test
    void aStreamWithoutItsEndIsBroken() {
        recorder.event("{\"choices\":[{\"text\":\"a\"}]}", 1);
        recorder.end();
        assertThat(recorder.failure())
                .isEqualTo(new Failure("broken stream", "ended after 1 pieces of text, unfinished"));
    }

    @Test
    void anErrorInTheStreamIsAFailure() {
        recorder.event("{\"error\":{\"message\":\"worker lost\"}}", 1);
        recorder.event("[DONE]", 2);
        recorder.end();
        assertThat(recorder.failure()).isEqualTo(new Failure("error in stream", "worker lost"));
    }

    @Test
    void anEventThatIsNotJsonBreaksTheStream() {
        recorder.event("{nonsense", 1);
        recorder.end();
        assertThat(recorder.failure()).isNotNull();
        assertThat(recorder.times()).isEmpty();
    }
}
