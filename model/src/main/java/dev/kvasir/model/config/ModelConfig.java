package dev.kvasir.model.config;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A decoder, described by explicit choices and without the name of any family: all that a forward pass has to know.
 *
 * @param architecture as the file names it, for people and messages
 * @param maxPositions longest sequence the model was made for
 * @param embeddingScale multiplies token embeddings
 * @param learnedPositions rows of a learned position table added to embeddings; 0 for none
 * @param finalNorm before the output projection
 * @param tied the output projection is the embedding table
 * @param logitScale multiplies logits
 * @param logitSoftcap logits become softcap * tanh(logit / softcap); 0 is off
 * @param eosTokenIds tokens that end a sequence; may be empty
 */
public record ModelConfig(
        String architecture,
        int vocabSize,
        int hiddenSize,
        int maxPositions,
        float embeddingScale,
        int learnedPositions,
        List<Layer> layers,
        Norm finalNorm,
        boolean tied,
        float logitScale,
        float logitSoftcap,
        List<Integer> eosTokenIds,
        @Nullable Integer bosTokenId) {
    public ModelConfig {
        layers = List.copyOf(layers);
        eosTokenIds = List.copyOf(eosTokenIds);
    }
}
