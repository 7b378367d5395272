package dev.kvasir.kvstore.transfer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

final class PullEstimateTest {
    private static final int TRIALS = 4;

    private static void observe(PullEstimate estimate, int times, long bytes, long setupNanos, long streamNanos) {
        for (int i = 0; i < times; i++) {
            estimate.observe(bytes, setupNanos, streamNanos);
        }
    }

    @Test
    void aPullThatTookLongIsNotHeldAgainstAllOthersForEver() {
        var estimate = new PullEstimate();
        observe(estimate, TRIALS, 0, 5_000_000_000L, 0);
        int refused = 0;
        while (!estimate.isWorth(10_000_000, 0, 1_000, 5_000, 0)) {
            refused++;
            assertThat(refused).isLessThan(1_000);
        }
        assertThat(refused).isGreaterThan(50);
    }

    @Test
    void pullsThatAreTooShortSayNothingOfTheBandwidthHoweverManyThereAre() {
        var estimate = new PullEstimate();
        observe(estimate, TRIALS, 100_000_000, 10_000_000, 1_000_000_000);
        for (int i = 0; i < 1_000_000; i++) {
            assertThat(estimate.isWorth(1_000_000, 0, 16, 40_000, 0)).isFalse();
        }
        assertThat(estimate.price(10_000, 0, 1_000).perToken()).isCloseTo(0.1, within(1e-9));
        estimate.observe(100_000_000, 10_000_000, 1_000_000_000);
        assertThat(estimate.price(10_000, 0, 1_000).perToken()).isCloseTo(0.1, within(1e-9));
    }

    /** A first contact, or a collection of garbage at the wrong moment. */
    @Test
    void aBadPullDoesNotKeepFromPulling() {
        var estimate = new PullEstimate();
        estimate.observe(2_300_000, 600_000_000, 400_000_000);
        assertThat(estimate.isWorth(2_300_000, 0, 1_500, 12_000, 0)).isTrue();
        observe(estimate, TRIALS - 1, 2_300_000, 20_000_000, 10_000_000);
        assertThat(estimate.isWorth(2_300_000, 0, 1_500, 12_000, 0)).isTrue();
        estimate.observe(2_300_000, 600_000_000, 400_000_000);
        assertThat(estimate.isWorth(2_300_000, 0, 1_500, 12_000, 0)).isTrue();
        observe(estimate, 10, 2_300_000, 600_000_000, 400_000_000);
        assertThat(estimate.isWorth(2_300_000, 0, 1_500, 12_000, 0)).isFalse();
    }

    @Test
    void noBandwidthIsBelievedThatNoNetworkHas() {
        var estimate = new PullEstimate();
        observe(estimate, TRIALS, 100_000_000, 3_000_000, 1_000_000_000);
        for (int i = 0; i < 1_000_000; i++) { // The set-up alone is just less than 150 tokens are worth.
            estimate.isWorth(10_000_000, 0, 150, 39_999.999999, 0);
        }
        assertThat(estimate.price(1e12, 0, 1).perToken()).isCloseTo(1, within(1e-9));
    }

    @Test
    void pullingIsWorthItOnlyWhereItIsExpectedToBeFaster() {
        var estimate = new PullEstimate();
        observe(estimate, 50, 100_000_000, 10_000_000, 1_000_000_000);
        // 100 MB/s and 10 ms: 10 MB take 0.11 s.
        assertThat(estimate.price(10_000, 0, 1_000).of(1_000)).isBetween(100.0, 120.0);
        assertThat(estimate.price(10_000, 1, 1_000).of(1_000)).isBetween(200.0, 220.0);
        assertThat(estimate.isWorth(10_000_000, 0, 1_000, 1_000, 0)).isTrue();
        assertThat(estimate.isWorth(10_000_000, 0, 1_000, 20_000, 0)).isFalse();
        assertThat(estimate.isWorth(10_000_000, 0, 1_000, 20_000, 10_000)).isTrue();
        assertThat(estimate.isWorth(10_000_000, 20, 1_000, 1_000, 0)).isFalse();
        assertThat(estimate.isWorth(10_000_000, 0, 1, 0, 0)).isTrue();
    }

    @Test
    void aFastNetworkIsFoundOutByTrying() {
        var estimate = new PullEstimate();
        long bytes = 128L << 20; // 1,000 tokens of a large model, which a fast device computes in 25 ms.
        assertThat(estimate.isWorth(bytes, 0, 1_000, 40_000, 0)).isTrue();
        observe(estimate, 20, bytes, 500_000, bytes / 20); // 20 GB/s
        assertThat(estimate.isWorth(bytes, 0, 1_000, 40_000, 0)).isTrue();
        assertThat(estimate.price(bytes / 1_000.0, 0, 40_000).perToken()).isBetween(0.2, 0.4);
    }

    /** A slow network costs the first prompts that try it a bounded time, even where nothing was computed yet to compare with. */
    @Test
    void aTrialMayTakeAsLongAsComputingWould() {
        assertThat(PullEstimate.patienceMillis(true, 4_000, 10_000)).isEqualTo(400);
        assertThat(PullEstimate.patienceMillis(true, 4_000, 1e6)).isEqualTo(100);
        assertThat(PullEstimate.patienceMillis(true, 4_000, 0)).isEqualTo(500);
        assertThat(PullEstimate.patienceMillis(false, 4_000, 10_000)).isEqualTo(1_200);
        assertThat(PullEstimate.patienceMillis(false, 4_000, 1e6)).isEqualTo(200);
        assertThat(PullEstimate.patienceMillis(false, 4_000, 0)).isEqualTo(Long.MAX_VALUE);
    }

    @Test
    void aNetworkWasTriedAfterSomePullsThatBroughtSomething() {
        var estimate = new PullEstimate();
        observe(estimate, TRIALS, 0, 100_000_000, 0);
        assertThat(estimate.isTried()).isFalse();
        observe(estimate, TRIALS - 1, 2_300_000, 20_000_000, 10_000_000);
        assertThat(estimate.isTried()).isFalse();
        estimate.observe(2_300_000, 20_000_000, 10_000_000);
        assertThat(estimate.isTried()).isTrue();
    }

    /** Who decides by the price where a request goes sends nothing to be pulled where no pull is expected. */
    @Test
    void whatWouldBeTriedIsPricedSoThatItIsAskedFor() {
        double bytesPerToken = 128 << 10; // At the bandwidth that is guessed, ten times as long as computing.
        var estimate = new PullEstimate();
        for (double tokensPerSecond : new double[] {0, 40_000}) {
            assertThat(estimate.isWorth((long) (1_500 * bytesPerToken), 0, 1_500, tokensPerSecond, 0))
                    .isTrue();
            var price = estimate.price(bytesPerToken, 0, tokensPerSecond);
            assertThat(price.isWorth(1_500, 0)).isTrue();
            assertThat(price.of(1_500)).isGreaterThan(0);
        }
        observe(estimate, TRIALS, 100_000_000, 3_000_000, 200_000_000);
        assertThat(estimate.price(bytesPerToken, 0, 40_000).isWorth(1_500, 0)).isFalse();
        assertThat(PullPrice.NONE.isWorth(1_500, 1_000_000)).isFalse();
    }
}
