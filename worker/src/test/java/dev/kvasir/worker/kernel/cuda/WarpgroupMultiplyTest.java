package dev.kvasir.worker.kernel.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class WarpgroupMultiplyTest {
    private static final int MULTIPROCESSORS = 132;

    @Test
    void blocksTakeWholeTilesOrEqualPartsWhereFewStayIdle() {
        assertThat(blocks(224, 64)).isEqualTo(112);
        assertThat(blocks(32, 224)).isEqualTo(128);
        assertThat(blocks(48, 64)).isEqualTo(96);
    }

    @Test
    void blocksFillTheDeviceWhereTilesWouldLeaveManyIdle() {
        assertThat(blocks(1002, 64)).isEqualTo(MULTIPROCESSORS);
        assertThat(blocks(80, 64)).isEqualTo(MULTIPROCESSORS);
    }

    @Test
    void noBlockIsWithoutAStep() {
        assertThat(blocks(1, 1)).isEqualTo(1);
        assertThat(blocks(2, 16)).isEqualTo(32);
    }

    private static int blocks(int tiles, int steps) {
        return WarpgroupMultiply.blocks(tiles, steps, MULTIPROCESSORS);
    }
}
