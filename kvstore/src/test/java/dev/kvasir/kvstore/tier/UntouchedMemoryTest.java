package dev.kvasir.kvstore.tier;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

class UntouchedMemoryTest {
    @Test
    void isAlignedWritableToItsEndAndGoesWithItsArena() {
        var arena = Arena.ofShared();

        var memory = UntouchedMemory.allocate(arena, 4096, 64);
        memory.fill((byte) 7);

        assertThat(memory.byteSize()).isEqualTo(4096);
        assertThat(memory.address() % 64).isZero();
        assertThat(memory.get(ValueLayout.JAVA_BYTE, 4095)).isEqualTo((byte) 7);
        arena.close();
        assertThatThrownBy(() -> memory.get(ValueLayout.JAVA_BYTE, 0)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void theSystemHasItBackWhenTheArenaIsClosed() throws IOException {
        long before = residentBytes();
        for (int times = 0; times < 16; times++) {
            try (var arena = Arena.ofShared()) {
                UntouchedMemory.allocate(arena, 64L << 20, 64).fill((byte) times);
                assertThat(residentBytes()).isGreaterThan(before + (32L << 20));
            }
        }
        assertThat(residentBytes()).isLessThan(before + (512L << 20));
    }

    private static long residentBytes() throws IOException {
        return Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ", -1)[1]) * 4096;
    }

    @Test
    void whatTheSystemDoesNotGiveIsOutOfMemory() {
        var arenas = new ArrayList<Arena>();
        try {
            assertThatThrownBy(() -> {
                        var arena = Arena.ofShared();
                        arenas.add(arena);
                        UntouchedMemory.allocate(arena, 1L << 60, 64);
                    })
                    .isInstanceOf(OutOfMemoryError.class)
                    .hasMessageContaining("1152921504606846976 bytes");
        } finally {
            arenas.forEach(Arena::close);
        }
    }
}
