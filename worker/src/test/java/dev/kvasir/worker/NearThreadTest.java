package dev.kvasir.worker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class NearThreadTest {
    @Test
    void whateverEndsATaskIsTold() throws Exception {
        try (var thread = new NearThread()) {
            var lacking = thread.<Integer>call(() -> {
                throw new UnsatisfiedLinkError("cuIpcOpenMemHandle");
            });
            assertThatThrownBy(() -> lacking.get(20, TimeUnit.SECONDS))
                    .isInstanceOf(ExecutionException.class)
                    .hasCauseInstanceOf(UnsatisfiedLinkError.class);
            assertThat(thread.call(() -> 1).get(20, TimeUnit.SECONDS)).isEqualTo(1);
        }
    }
}
