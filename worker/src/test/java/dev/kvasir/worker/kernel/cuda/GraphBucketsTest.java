package dev.kvasir.worker.kernel.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class GraphBucketsTest {
    @Test
    void everyBatchUpToTheLargestHasABucketThatHoldsIt() {
        for (int sequencesMax : new int[] {1, 2, 3, 7, 8, 9, 63, 64, 65, 100, 256, 1000}) {
            var buckets = new GraphBuckets(sequencesMax);
            assertThat(buckets.sizes()).isSorted().doesNotHaveDuplicates().endsWith(sequencesMax);
            for (int rows = 1; rows <= sequencesMax; rows++) {
                int index = buckets.indexFor(rows);
                assertThat(buckets.size(index)).isGreaterThanOrEqualTo(rows);
                assertThat(index == 0 || buckets.size(index - 1) < rows).isTrue();
            }
        }
    }

    @Test
    void smallBatchesAreMadeUpByLittle() {
        assertThat(new GraphBuckets(64).sizes()).containsExactly(1, 2, 4, 8, 16, 24, 32, 40, 48, 56, 64);
    }

    @Test
    void largerBatchesHaveNone() {
        var buckets = new GraphBuckets(16);
        assertThat(buckets.indexFor(17)).isEqualTo(buckets.count());
    }
}
