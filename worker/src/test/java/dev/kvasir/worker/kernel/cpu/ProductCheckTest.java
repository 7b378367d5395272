package dev.kvasir.worker.kernel.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class ProductCheckTest {
    @Test
    void rightProductsPassAndOneWrongElementNowAndThenDoesNot() {
        var threads = new WorkerThreads(2);
        var multiply = new Multiply(threads);
        ProductCheck.Product right = (out, in, rows, weight) -> multiply.run(out, in, rows, weight, null, false);
        var runs = new int[1];
        ProductCheck.Product wrongOnce = (out, in, rows, weight) -> {
            right.run(out, in, rows, weight);
            if (++runs[0] == 50) {
                Memory.set(out.row(rows - 1) + 4L * 700, 5);
            }
        };
        assertThat(ProductCheck.agree(right, right)).isTrue();
        assertThat(ProductCheck.agree(wrongOnce, right)).isFalse();
        threads.close();
    }
}
