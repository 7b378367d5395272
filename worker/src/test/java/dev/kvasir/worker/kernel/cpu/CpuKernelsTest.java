package dev.kvasir.worker.kernel.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.worker.kernel.HandCalculatedKernels;
import dev.kvasir.worker.kernel.Kernels;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

final class CpuKernelsTest {
    @Nested
    final class ByHand extends HandCalculatedKernels {
        @Override
        protected Kernels create() {
            return TestKernels.deterministic(2);
        }
    }

    @Nested
    final class OneThread extends AgreementWithReference {
        @Override
        Kernels create() {
            return TestKernels.deterministic(1);
        }
    }

    @Nested
    final class ThreeThreads extends AgreementWithReference {
        @Override
        Kernels create() {
            return TestKernels.deterministic(3);
        }
    }

    @Nested
    final class Unpacked extends AgreementWithReference {
        @Override
        Kernels create() {
            return TestKernels.unpacked(2);
        }
    }

    @Nested
    final class Fast extends AgreementWithReference {
        @Override
        Kernels create() {
            return TestKernels.fast(2);
        }

        /** Inputs may be rounded to bf16: 2^-9 of each of some hundred products, which partly cancel. */
        @Override
        double productTolerance() {
            return 2e-2;
        }
    }

    @Test
    void descriptionSaysWhetherOnednnIsUsedAndResultsAreDeterministic() {
        try (var fast = TestKernels.fast(2);
                var auto = TestKernels.auto(2);
                var deterministic = TestKernels.deterministic(2)) {
            assertThat(fast.describe()).contains("oneDNN").contains("2 threads");
            assertThat(auto.describe()).containsAnyOf("oneDNN bf16, not deterministic", ", deterministic, no oneDNN");
            assertThat(deterministic.describe()).contains(", deterministic").doesNotContain("oneDNN");
        }
    }
}
