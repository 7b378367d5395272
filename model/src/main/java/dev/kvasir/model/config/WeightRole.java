package dev.kvasir.model.config;

/** What a weight is for, whatever a family calls it. Matrices are [outputs, inputs]. */
public enum WeightRole {
    EMBEDDING(false),
    POSITIONS(false),
    FINAL_NORM(false),
    FINAL_NORM_BIAS(false),
    OUTPUT(false),

    ATTENTION_PRE_NORM(true),
    ATTENTION_PRE_NORM_BIAS(true),
    QUERY(true),
    QUERY_BIAS(true),
    KEY(true),
    KEY_BIAS(true),
    VALUE(true),
    VALUE_BIAS(true),
    QUERY_NORM(true),
    KEY_NORM(true),
    ATTENTION_OUTPUT(true),
    ATTENTION_OUTPUT_BIAS(true),
    ATTENTION_POST_NORM(true),
    FEED_FORWARD_PRE_NORM(true),
    FEED_FORWARD_PRE_NORM_BIAS(true),
    GATE(true),
    GATE_BIAS(true),
    UP(true),
    UP_BIAS(true),
    DOWN(true),
    DOWN_BIAS(true),
    FEED_FORWARD_POST_NORM(true);

    private final boolean perLayer;

    WeightRole(boolean perLayer) {
        this.perLayer = perLayer;
    }

    /** Whether each layer has one. */
    public boolean perLayer() {
        return perLayer;
    }
}
