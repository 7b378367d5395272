package dev.kvasir.worker.schedule;

/**
 * How service is counted and shared between tenants.
 *
 * @param inputTokenWeight charged for a prompt token that is computed
 * @param outputTokenWeight charged for a generated token
 * @param priorityTokens charge that one step of priority is worth between tenants
 * @param tenantsMax idle tenants whose counters are remembered
 */
public record FairnessSettings(int inputTokenWeight, int outputTokenWeight, int priorityTokens, int tenantsMax) {
    public FairnessSettings {
        require("input-token-weight", inputTokenWeight, 0, 1_000);
        require("output-token-weight", outputTokenWeight, 1, 1_000);
        require("priority-tokens", priorityTokens, 0, 1 << 30);
        require("tenants-max", tenantsMax, 0, 1 << 20);
    }

    public static FairnessSettings defaults() {
        return new FairnessSettings(1, 2, 16_384, 4_096);
    }

    private static void require(String key, int value, int min, int max) {
        if (value < min || value > max) {
            throw new IllegalArgumentException(
                    "kvasir.worker.fairness.%s is %d but must be in [%d, %d]".formatted(key, value, min, max));
        }
    }
}
