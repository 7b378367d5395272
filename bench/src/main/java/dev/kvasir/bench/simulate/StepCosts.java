package dev.kvasir.bench.simulate;

/**
 * What a worker's step takes, as measured on one.
 *
 * @param prefillTokensPerSecond of prompt tokens, computed in chunks
 * @param stepMillis of a step that generates one token for one sequence
 * @param sequenceMillis more for each further sequence
 * @param stepTokensMax tokens of one step
 * @param sequencesMax that run at a time
 */
public record StepCosts(
        double prefillTokensPerSecond, double stepMillis, double sequenceMillis, int stepTokensMax, int sequencesMax) {
    public StepCosts {
        if (!(prefillTokensPerSecond > 0) || !(stepMillis > 0) || !(sequenceMillis >= 0)) {
            throw new IllegalArgumentException("step costs must be above 0");
        }
        if (stepTokensMax < 1 || sequencesMax < 1) {
            throw new IllegalArgumentException("a step takes at least one token and one sequence");
        }
    }

    /** For reports. */
    String title() {
        return "prefill %s tokens/s, step %s ms and %s ms per further sequence"
                .formatted(
                        Report.number(prefillTokensPerSecond),
                        Report.number(stepMillis),
                        Report.number(sequenceMillis));
    }

    double stepSeconds(int prefillTokens, int decoding) {
        double decode = decoding == 0 ? 0 : (stepMillis + sequenceMillis * (decoding - 1)) / 1000;
        return Math.max(decode + prefillTokens / prefillTokensPerSecond, stepMillis / 1000);
    }
}
