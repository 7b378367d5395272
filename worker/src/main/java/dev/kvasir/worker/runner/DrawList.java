package dev.kvasir.worker.runner;

import dev.kvasir.worker.kernel.Draws;

/**
 * What {@link Sampler} does to a row of logits, written down for a device that has the row. The random number is made here,
 * so that it is the sampler's to the bit. Log-probabilities are {@link ScoreList}'s business.
 */
public final class DrawList {
    private final int[] scratch = new int[4];

    /** Adds the draw of the token at {@code position} of an output from a row; false, and nothing is added, without room. */
    public boolean add(Draws draws, int row, SamplingState state, int position) {
        var parameters = state.parameters();
        int[] biased = state.biasedIds();
        int[] ending = position < parameters.minTokens() ? state.endingIds() : new int[0];
        var counts = state.counts();
        if (!draws.hasRoom(biased.length + ending.length + counts.size())) {
            return false;
        }
        double uniform = Philox.uniform(parameters.seed(), state.outputIndex(), position, scratch);
        draws.add(row, parameters.temperature(), parameters.topK(), parameters.topP(), parameters.minP(), uniform);
        draws.penalties(parameters.repetitionPenalty(), parameters.frequencyPenalty(), parameters.presencePenalty());
        for (int i = 0; i < biased.length; i++) {
            draws.bias(biased[i], state.biases()[i]);
        }
        for (int id : ending) {
            draws.exclude(id);
        }
        for (int i = 0; i < counts.size(); i++) {
            draws.penalise(counts.id(i), counts.count(i));
        }
        return true;
    }
}
