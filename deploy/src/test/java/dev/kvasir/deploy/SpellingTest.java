package dev.kvasir.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

final class SpellingTest {
    @Test
    void distanceCountsEdits() {
        assertThat(Spelling.distance("port", "port")).isZero();
        assertThat(Spelling.distance("prot", "port")).isEqualTo(1);
        assertThat(Spelling.distance("", "abc")).isEqualTo(3);
        assertThat(Spelling.distance("block_size", "block-size")).isEqualTo(1);
    }

    @Test
    void onlyWhatIsNearIsSuggested() {
        var known = List.of("http-port", "grpc-port", "host");
        assertThat(Spelling.nearest("htp-port", known)).hasValue("http-port");
        assertThat(Spelling.nearest("temperature", known)).isEmpty();
    }
}
