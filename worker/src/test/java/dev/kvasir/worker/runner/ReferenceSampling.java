package dev.kvasir.worker.runner;

import dev.kvasir.protocol.SamplingParameters;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/** The distribution that tokens are to be drawn from, in the plainest way: sort all, in double. */
final class ReferenceSampling {
    private ReferenceSampling() {}

    /** Probability by token id. */
    static double[] distribution(float[] logits, SamplingParameters parameters, int[] prompt, List<Integer> output) {
        var scaled = adjusted(logits, parameters, prompt, output);
        for (int id = 0; id < scaled.length; id++) {
            scaled[id] /= parameters.temperature();
        }
        var order = byPreference(scaled);
        var weights = softmax(scaled);
        double best = weights[order[0]];
        int kept = parameters.topK() == 0 ? order.length : Math.min(parameters.topK(), order.length);
        while (kept > 1 && weights[order[kept - 1]] < parameters.minP() * best) {
            kept--;
        }
        double total =
                Arrays.stream(order, 0, kept).mapToDouble(id -> weights[id]).sum();
        var distribution = new double[logits.length];
        double before = 0;
        for (int i = 0; i < kept && (before < parameters.topP() * total || parameters.topP() == 1); i++) {
            distribution[order[i]] = weights[order[i]];
            before += weights[order[i]];
        }
        double sum = Arrays.stream(distribution).sum();
        return Arrays.stream(distribution).map(x -> x / sum).toArray();
    }

    static double[] adjusted(float[] logits, SamplingParameters parameters, int[] prompt, List<Integer> output) {
        var adjusted = new double[logits.length];
        for (int id = 0; id < logits.length; id++) {
            int token = id;
            double x = logits[id] + parameters.logitBias().getOrDefault(id, 0f);
            if (output.size() < parameters.minTokens()
                    && parameters.stopTokenIds().contains(id)) {
                x = Double.NEGATIVE_INFINITY;
            }
            long count = output.stream().filter(t -> t == token).count();
            if (count > 0 || Arrays.stream(prompt).anyMatch(t -> t == token)) {
                x = x > 0 ? x / parameters.repetitionPenalty() : x * parameters.repetitionPenalty();
            }
            x -= parameters.frequencyPenalty() * count;
            x -= count > 0 ? parameters.presencePenalty() : 0;
            adjusted[id] = x;
        }
        return adjusted;
    }

    static int[] byPreference(double[] logits) {
        return IntStream.range(0, logits.length)
                .boxed()
                .sorted(Comparator.<Integer>comparingDouble(id -> 0 - logits[id])
                        .thenComparing(id -> id))
                .mapToInt(Integer::intValue)
                .toArray();
    }

    static double[] softmax(double[] logits) {
        double max = Arrays.stream(logits).max().orElseThrow();
        double sum = Arrays.stream(logits).map(x -> Math.exp(x - max)).sum();
        return Arrays.stream(logits).map(x -> Math.exp(x - max) / sum).toArray();
    }
}
