package dev.kvasir.model.config;

import dev.kvasir.model.config.ModelFamily.AttentionChoice;
import dev.kvasir.model.config.ModelFamily.FeedForwardChoice;
import dev.kvasir.model.config.ModelFamily.Flag;
import dev.kvasir.model.config.ModelFamily.Multipliers;
import dev.kvasir.model.config.ModelFamily.NormChoice;
import dev.kvasir.model.config.ModelFamily.RotaryChoice;
import dev.kvasir.model.config.ModelFamily.ScoreScale;
import dev.kvasir.model.config.ModelFamily.SizeKeys;
import dev.kvasir.model.config.ModelFamily.WindowChoice;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;

/**
 * States a family by its differences from Llama: pre-norm with root mean square, gated SiLU feed-forward, rotary attention
 * without window, no biases, nothing scaled, own output projection.
 */
final class FamilyBuilder {
    private final String modelType;
    private final String architecture;
    private TensorNames tensors;
    private String nestedIn = "";
    private SizeKeys keys = new SizeKeys(
            "hidden_size",
            "num_hidden_layers",
            "num_attention_heads",
            "num_key_value_heads",
            "max_position_embeddings",
            "intermediate_size");
    private Map<String, Integer> sizeDefaults = Map.of();

    private Norm.Kind normKind = Norm.Kind.RMS;
    private String epsilonKey = "rms_norm_eps";
    private double epsilonDefault = 1e-6;
    private float normOffset;
    private NormPlacement placement = NormPlacement.PRE;

    private FeedForwardChoice feedForward = new FeedForwardChoice(true, "hidden_act", "silu", 0);
    private Flag attentionBias = Flag.NEVER;
    private Flag outputBias = Flag.NEVER;
    private Flag feedForwardBias = Flag.NEVER;
    private QueryKeyNorm queryKeyNorm = QueryKeyNorm.NONE;
    private ScoreScale scale = (_, _, headSize) -> 1 / Math.sqrt(headSize);
    private WindowChoice window = (_, _) -> 0;
    private RotaryChoice rotary = (_, _) -> RotaryKeys.DEFAULT;

    private ToDoubleFunction<ConfigJson> attentionSoftcap = _ -> 0;
    private ToDoubleFunction<ConfigJson> logitSoftcap = _ -> 0;
    private ToDoubleFunction<ConfigJson> embeddingScale = _ -> 1;
    private ToDoubleFunction<ConfigJson> residualScale = _ -> 1;
    private ToDoubleFunction<ConfigJson> logitScale = _ -> 1;
    private Flag parallel = Flag.NEVER;
    private boolean learnedPositions;
    private boolean tied;

    private FamilyBuilder(String modelType, String architecture, TensorNames tensors) {
        this.modelType = modelType;
        this.architecture = architecture;
        this.tensors = tensors;
    }

    static FamilyBuilder llamaLike(String modelType, String architecture, TensorNames tensors) {
        return new FamilyBuilder(modelType, architecture, tensors);
    }

    ModelFamily build() {
        return new ModelFamily(
                modelType,
                List.of(architecture),
                nestedIn,
                keys,
                Map.copyOf(sizeDefaults),
                new NormChoice(normKind, epsilonKey, epsilonDefault, normOffset, placement),
                feedForward,
                new AttentionChoice(queryKeyNorm, scale, window, rotary, attentionSoftcap),
                new ModelFamily.Biases(attentionBias, outputBias, feedForwardBias),
                new Multipliers(embeddingScale, residualScale, logitScale, logitSoftcap),
                parallel,
                learnedPositions,
                tied,
                tensors);
    }

    FamilyBuilder nestedIn(String key) {
        nestedIn = key;
        return this;
    }

    FamilyBuilder keys(SizeKeys names) {
        keys = names;
        return this;
    }

    FamilyBuilder sizeDefaults(Map<String, Integer> sizes) {
        sizeDefaults = sizes;
        return this;
    }

    FamilyBuilder epsilon(String key, double whenAbsent) {
        epsilonKey = key;
        epsilonDefault = whenAbsent;
        return this;
    }

    FamilyBuilder layerNorm(String key, double whenAbsent) {
        normKind = Norm.Kind.LAYER;
        return epsilon(key, whenAbsent);
    }

    FamilyBuilder normOffset(float offset) {
        normOffset = offset;
        return this;
    }

    FamilyBuilder placement(NormPlacement choice) {
        placement = choice;
        return this;
    }

    FamilyBuilder activation(String key, String whenAbsent) {
        feedForward = new FeedForwardChoice(true, key, whenAbsent, 0);
        return this;
    }

    FamilyBuilder plainMlp(String activationKey, String whenAbsent, int innerTimesHidden) {
        feedForward = new FeedForwardChoice(false, activationKey, whenAbsent, innerTimesHidden);
        return this;
    }

    FamilyBuilder biases(Flag ofAttention, Flag ofOutput, Flag ofFeedForward) {
        attentionBias = ofAttention;
        outputBias = ofOutput;
        feedForwardBias = ofFeedForward;
        return this;
    }

    FamilyBuilder queryKeyNorm(QueryKeyNorm choice) {
        queryKeyNorm = choice;
        return this;
    }

    FamilyBuilder scale(ScoreScale choice) {
        scale = choice;
        return this;
    }

    FamilyBuilder window(WindowChoice choice) {
        window = choice;
        return this;
    }

    FamilyBuilder rotary(RotaryChoice choice) {
        rotary = choice;
        return this;
    }

    FamilyBuilder attentionSoftcap(ToDoubleFunction<ConfigJson> choice) {
        attentionSoftcap = choice;
        return this;
    }

    FamilyBuilder logitSoftcap(ToDoubleFunction<ConfigJson> choice) {
        logitSoftcap = choice;
        return this;
    }

    FamilyBuilder embeddingScale(ToDoubleFunction<ConfigJson> choice) {
        embeddingScale = choice;
        return this;
    }

    FamilyBuilder residualScale(ToDoubleFunction<ConfigJson> choice) {
        residualScale = choice;
        return this;
    }

    FamilyBuilder logitScale(ToDoubleFunction<ConfigJson> choice) {
        logitScale = choice;
        return this;
    }

    FamilyBuilder parallel(Flag choice) {
        parallel = choice;
        return this;
    }

    FamilyBuilder learnedPositions() {
        learnedPositions = true;
        return this;
    }

    FamilyBuilder tied() {
        tied = true;
        return this;
    }

    FamilyBuilder tensors(TensorNames names) {
        tensors = names;
        return this;
    }
}
