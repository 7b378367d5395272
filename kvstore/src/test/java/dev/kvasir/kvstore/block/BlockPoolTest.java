package dev.kvasir.kvstore.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class BlockPoolTest {
    private final BlockPool pool = new BlockPool(3);

    @Test
    void aBlockIsFreeAgainWhenItsLastReferenceGoes() {
        int block = pool.take();
        pool.retain(block);
        pool.release(block);
        assertThat(pool.used()).isEqualTo(1);
        pool.release(block);
        assertThat(pool.free()).isEqualTo(3);
    }

    @Test
    void aKeptBlockIsCachedAndStillAvailable() {
        int block = pool.take();
        pool.keep(block);
        pool.release(block);
        assertThat(pool.cached()).isEqualTo(1);
        assertThat(pool.available()).isEqualTo(3);
        pool.retain(block);
        assertThat(pool.cached()).isZero();
        assertThat(pool.references(block)).isEqualTo(1);
    }

    @Test
    void theBlockUnusedForLongestIsEvictedFirst() {
        int first = kept();
        int second = kept();
        int third = kept();
        pool.release(second);
        pool.release(first);
        pool.release(third);
        pool.retain(second);
        pool.release(second);

        assertThat(pool.evict()).isEqualTo(first);
        assertThat(pool.evict()).isEqualTo(third);
        assertThat(pool.evict()).isEqualTo(second);
        assertThat(pool.free()).isEqualTo(3);
    }

    private int kept() {
        int block = pool.take();
        pool.keep(block);
        return block;
    }

    @Test
    void misuseIsRefusedNamingTheBlock() {
        int block = pool.take();
        pool.release(block);
        assertThatThrownBy(() -> pool.release(block)).hasMessage("block 0 has no reference to give back");
        assertThatThrownBy(() -> pool.retain(block)).hasMessage("block 0 is free and cannot be shared");
        assertThatThrownBy(() -> pool.keep(block)).hasMessage("block 0 is not used");
        assertThatThrownBy(pool::evict).hasMessage("no block of 3 is cached");
        pool.take();
        pool.take();
        pool.take();
        assertThatThrownBy(pool::take).hasMessage("no block of 3 is free, 0 are cached");
        assertThatThrownBy(() -> new BlockPool(0)).hasMessageContaining("at least 1");
    }
}
