package dev.kvasir.model.config;

import static dev.kvasir.model.config.StoredTensor.heads;
import static dev.kvasir.model.config.StoredTensor.rows;
import static dev.kvasir.model.config.StoredTensor.transposed;
import static dev.kvasir.model.config.WeightRole.ATTENTION_OUTPUT;
import static dev.kvasir.model.config.WeightRole.ATTENTION_OUTPUT_BIAS;
import static dev.kvasir.model.config.WeightRole.ATTENTION_POST_NORM;
import static dev.kvasir.model.config.WeightRole.ATTENTION_PRE_NORM;
import static dev.kvasir.model.config.WeightRole.ATTENTION_PRE_NORM_BIAS;
import static dev.kvasir.model.config.WeightRole.DOWN;
import static dev.kvasir.model.config.WeightRole.DOWN_BIAS;
import static dev.kvasir.model.config.WeightRole.EMBEDDING;
import static dev.kvasir.model.config.WeightRole.FEED_FORWARD_POST_NORM;
import static dev.kvasir.model.config.WeightRole.FEED_FORWARD_PRE_NORM;
import static dev.kvasir.model.config.WeightRole.FEED_FORWARD_PRE_NORM_BIAS;
import static dev.kvasir.model.config.WeightRole.FINAL_NORM;
import static dev.kvasir.model.config.WeightRole.FINAL_NORM_BIAS;
import static dev.kvasir.model.config.WeightRole.GATE;
import static dev.kvasir.model.config.WeightRole.GATE_BIAS;
import static dev.kvasir.model.config.WeightRole.KEY;
import static dev.kvasir.model.config.WeightRole.KEY_BIAS;
import static dev.kvasir.model.config.WeightRole.KEY_NORM;
import static dev.kvasir.model.config.WeightRole.OUTPUT;
import static dev.kvasir.model.config.WeightRole.POSITIONS;
import static dev.kvasir.model.config.WeightRole.QUERY;
import static dev.kvasir.model.config.WeightRole.QUERY_BIAS;
import static dev.kvasir.model.config.WeightRole.QUERY_NORM;
import static dev.kvasir.model.config.WeightRole.UP;
import static dev.kvasir.model.config.WeightRole.UP_BIAS;
import static dev.kvasir.model.config.WeightRole.VALUE;
import static dev.kvasir.model.config.WeightRole.VALUE_BIAS;

import dev.kvasir.model.config.ModelFamily.Flag;
import dev.kvasir.model.config.ModelFamily.SizeKeys;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Every family that can be served. Most are Llama with other choices; each states only how it differs. */
public final class Families {
    private static final String WINDOW = "sliding_window";

    private static final TensorNames LLAMA_TENSORS = new TensorNames(
            List.of("model.", ""),
            List.of(
                    rows("embed_tokens.weight", EMBEDDING),
                    rows("norm.weight", FINAL_NORM),
                    rows("lm_head.weight", OUTPUT),
                    rows("layers.{}.input_layernorm.weight", ATTENTION_PRE_NORM),
                    rows("layers.{}.self_attn.q_proj.weight", QUERY),
                    rows("layers.{}.self_attn.q_proj.bias", QUERY_BIAS),
                    rows("layers.{}.self_attn.k_proj.weight", KEY),
                    rows("layers.{}.self_attn.k_proj.bias", KEY_BIAS),
                    rows("layers.{}.self_attn.v_proj.weight", VALUE),
                    rows("layers.{}.self_attn.v_proj.bias", VALUE_BIAS),
                    rows("layers.{}.self_attn.q_norm.weight", QUERY_NORM),
                    rows("layers.{}.self_attn.k_norm.weight", KEY_NORM),
                    rows("layers.{}.self_attn.o_proj.weight", ATTENTION_OUTPUT),
                    rows("layers.{}.self_attn.o_proj.bias", ATTENTION_OUTPUT_BIAS),
                    rows("layers.{}.post_attention_layernorm.weight", FEED_FORWARD_PRE_NORM),
                    rows("layers.{}.mlp.gate_proj.weight", GATE),
                    rows("layers.{}.mlp.gate_proj.bias", GATE_BIAS),
                    rows("layers.{}.mlp.up_proj.weight", UP),
                    rows("layers.{}.mlp.up_proj.bias", UP_BIAS),
                    rows("layers.{}.mlp.down_proj.weight", DOWN),
                    rows("layers.{}.mlp.down_proj.bias", DOWN_BIAS)));

    private static final ModelFamily LLAMA = FamilyBuilder.llamaLike("llama", "LlamaForCausalLM", LLAMA_TENSORS)
            .biases(Flag.key("attention_bias", false), Flag.key("attention_bias", false), Flag.key("mlp_bias", false))
            .build();

    private static final ModelFamily QWEN2 = FamilyBuilder.llamaLike("qwen2", "Qwen2ForCausalLM", LLAMA_TENSORS)
            .biases(Flag.ALWAYS, Flag.NEVER, Flag.NEVER)
            .window(Windows::qwen)
            .build();

    private static final ModelFamily QWEN3 = FamilyBuilder.llamaLike("qwen3", "Qwen3ForCausalLM", LLAMA_TENSORS)
            .biases(Flag.key("attention_bias", false), Flag.key("attention_bias", false), Flag.NEVER)
            .sizeDefaults(Map.of("head_dim", 128))
            .queryKeyNorm(QueryKeyNorm.PER_HEAD)
            .window(Windows::qwen)
            .build();

    private static final ModelFamily MISTRAL = FamilyBuilder.llamaLike("mistral", "MistralForCausalLM", LLAMA_TENSORS)
            .window((config, _) -> Windows.size(config, 4096))
            .sizeDefaults(Map.of("num_key_value_heads", 8))
            .build();

    private static final ModelFamily PHI3 = FamilyBuilder.llamaLike("phi3", "Phi3ForCausalLM", LLAMA_TENSORS)
            .window((config, _) -> Windows.size(config, 0))
            .rotary((_, _) ->
                    new RotaryKeys("rope_theta", 10_000, "partial_rotary_factor", 1, "full_attention", true, true))
            .epsilon("rms_norm_eps", 1e-5)
            .tensors(LLAMA_TENSORS.with(
                    rows("layers.{}.self_attn.qkv_proj.weight", QUERY, KEY, VALUE),
                    rows("layers.{}.mlp.gate_up_proj.weight", GATE, UP)))
            .build();

    private static final ModelFamily SMOLLM3 = FamilyBuilder.llamaLike("smollm3", "SmolLM3ForCausalLM", LLAMA_TENSORS)
            .biases(Flag.key("attention_bias", false), Flag.key("attention_bias", false), Flag.key("mlp_bias", false))
            .rotary((config, layer) ->
                    Windows.smollm3Rotates(config, layer) ? RotaryKeys.DEFAULT.thetaDefault(2_000_000) : null)
            .window(Windows::smollm3)
            .sizeDefaults(Map.of("num_key_value_heads", 4))
            .tied()
            .build();

    private static final ModelFamily OLMO2 = FamilyBuilder.llamaLike("olmo2", "Olmo2ForCausalLM", LLAMA_TENSORS)
            .biases(Flag.key("attention_bias", false), Flag.key("attention_bias", false), Flag.NEVER)
            .queryKeyNorm(QueryKeyNorm.WHOLE_ROW)
            .placement(NormPlacement.POST)
            .epsilon("rms_norm_eps", 1e-5)
            .tensors(LLAMA_TENSORS.with(
                    rows("layers.{}.post_attention_layernorm.weight", ATTENTION_POST_NORM),
                    rows("layers.{}.post_feedforward_layernorm.weight", FEED_FORWARD_POST_NORM)))
            .build();

    private static final ModelFamily GRANITE = FamilyBuilder.llamaLike("granite", "GraniteForCausalLM", LLAMA_TENSORS)
            .biases(Flag.key("attention_bias", false), Flag.key("attention_bias", false), Flag.key("mlp_bias", false))
            .scale((config, _, _) -> config.positive("attention_multiplier", 1))
            .embeddingScale(config -> config.positive("embedding_multiplier", 1))
            .residualScale(config -> config.positive("residual_multiplier", 1))
            .logitScale(config -> 1 / config.positive("logits_scaling", 1))
            .build();

    private static final TensorNames GEMMA_TENSORS = LLAMA_TENSORS.with(
            rows("layers.{}.post_attention_layernorm.weight", ATTENTION_POST_NORM),
            rows("layers.{}.pre_feedforward_layernorm.weight", FEED_FORWARD_PRE_NORM),
            rows("layers.{}.post_feedforward_layernorm.weight", FEED_FORWARD_POST_NORM));

    private static final ModelFamily GEMMA2 = gemma("gemma2", "Gemma2ForCausalLM")
            .sizeDefaults(Map.of("head_dim", 256, "num_key_value_heads", 4))
            .window((config, layer) -> Windows.byType(config, layer, (layer + 1) % 2 != 0))
            .attentionSoftcap(config -> softcap(config, "attn_logit_softcapping", 50))
            .logitSoftcap(config -> softcap(config, "final_logit_softcapping", 30))
            .build();

    private static final ModelFamily GEMMA3_TEXT =
            gemma3("gemma3_text", "Gemma3ForCausalLM").build();

    /** The text part of a model that also sees. */
    private static final ModelFamily GEMMA3 = gemma3("gemma3", "Gemma3ForConditionalGeneration")
            .nestedIn("text_config")
            .tensors(GEMMA_TENSORS.prefixed("model.language_model.", "language_model.model."))
            .build();

    private static final ModelFamily GPT_NEOX = FamilyBuilder.llamaLike("gpt_neox", "GPTNeoXForCausalLM", LLAMA_TENSORS)
            .layerNorm("layer_norm_eps", 1e-5)
            .plainMlp("hidden_act", "gelu", 0)
            .biases(Flag.key("attention_bias", true), Flag.key("attention_bias", true), Flag.ALWAYS)
            .parallel(Flag.key("use_parallel_residual", true))
            .rotary((_, _) ->
                    new RotaryKeys("rotary_emb_base", 10_000, "rotary_pct", 0.25, "full_attention", true, false))
            .tensors(new TensorNames(
                    List.of("gpt_neox.", ""),
                    List.of(
                            rows("embed_in.weight", EMBEDDING),
                            rows("final_layer_norm.weight", FINAL_NORM),
                            rows("final_layer_norm.bias", FINAL_NORM_BIAS),
                            rows("embed_out.weight", OUTPUT).orNamed("lm_head.weight"),
                            rows("layers.{}.input_layernorm.weight", ATTENTION_PRE_NORM),
                            rows("layers.{}.input_layernorm.bias", ATTENTION_PRE_NORM_BIAS),
                            heads("layers.{}.attention.query_key_value.weight", QUERY, KEY, VALUE),
                            heads("layers.{}.attention.query_key_value.bias", QUERY_BIAS, KEY_BIAS, VALUE_BIAS),
                            rows("layers.{}.attention.dense.weight", ATTENTION_OUTPUT),
                            rows("layers.{}.attention.dense.bias", ATTENTION_OUTPUT_BIAS),
                            rows("layers.{}.post_attention_layernorm.weight", FEED_FORWARD_PRE_NORM),
                            rows("layers.{}.post_attention_layernorm.bias", FEED_FORWARD_PRE_NORM_BIAS),
                            rows("layers.{}.mlp.dense_h_to_4h.weight", UP),
                            rows("layers.{}.mlp.dense_h_to_4h.bias", UP_BIAS),
                            rows("layers.{}.mlp.dense_4h_to_h.weight", DOWN),
                            rows("layers.{}.mlp.dense_4h_to_h.bias", DOWN_BIAS))))
            .build();

    private static final ModelFamily GPT2 = FamilyBuilder.llamaLike("gpt2", "GPT2LMHeadModel", LLAMA_TENSORS)
            .keys(new SizeKeys("n_embd", "n_layer", "n_head", "n_head_kv", "n_positions", "n_inner"))
            .layerNorm("layer_norm_epsilon", 1e-5)
            .plainMlp("activation_function", "gelu_new", 4)
            .biases(Flag.ALWAYS, Flag.ALWAYS, Flag.ALWAYS)
            .rotary((_, _) -> null)
            .scale(Families::gpt2Scale)
            .learnedPositions()
            .tied()
            .tensors(new TensorNames(
                    List.of("transformer.", ""),
                    List.of(
                            rows("wte.weight", EMBEDDING),
                            rows("wpe.weight", POSITIONS),
                            rows("ln_f.weight", FINAL_NORM),
                            rows("ln_f.bias", FINAL_NORM_BIAS),
                            rows("lm_head.weight", OUTPUT),
                            rows("h.{}.ln_1.weight", ATTENTION_PRE_NORM),
                            rows("h.{}.ln_1.bias", ATTENTION_PRE_NORM_BIAS),
                            transposed("h.{}.attn.c_attn.weight", QUERY, KEY, VALUE),
                            rows("h.{}.attn.c_attn.bias", QUERY_BIAS, KEY_BIAS, VALUE_BIAS),
                            transposed("h.{}.attn.c_proj.weight", ATTENTION_OUTPUT),
                            rows("h.{}.attn.c_proj.bias", ATTENTION_OUTPUT_BIAS),
                            rows("h.{}.ln_2.weight", FEED_FORWARD_PRE_NORM),
                            rows("h.{}.ln_2.bias", FEED_FORWARD_PRE_NORM_BIAS),
                            transposed("h.{}.mlp.c_fc.weight", UP),
                            rows("h.{}.mlp.c_fc.bias", UP_BIAS),
                            transposed("h.{}.mlp.c_proj.weight", DOWN),
                            rows("h.{}.mlp.c_proj.bias", DOWN_BIAS))))
            .build();

    private static final List<ModelFamily> ALL = List.of(
            LLAMA, QWEN2, QWEN3, MISTRAL, PHI3, SMOLLM3, OLMO2, GRANITE, GEMMA2, GEMMA3_TEXT, GEMMA3, GPT_NEOX, GPT2);

    private Families() {}

    /** Every family, for messages and lists. */
    public static List<ModelFamily> all() {
        return ALL;
    }

    /** The family that a configuration file names. */
    public static ModelFamily of(ConfigJson config) {
        var named = config.textsUpTo("architectures", 16);
        if (!named.isEmpty()) {
            return ALL.stream()
                    .filter(family -> family.architectures().contains(named.getFirst()))
                    .findFirst()
                    .orElseThrow(() -> config.refuse("architectures", "is not known; known are " + architectures()));
        }
        var type = config.text("model_type").orElseThrow(() -> config.refuse("architectures", "is missing"));
        return ALL.stream()
                .filter(family -> family.modelType().equals(type))
                .findFirst()
                .orElseThrow(() -> config.refuse("model_type", "is not known; known are " + modelTypes()));
    }

    private static String architectures() {
        return ALL.stream().flatMap(family -> family.architectures().stream()).collect(Collectors.joining(", "));
    }

    private static String modelTypes() {
        return ALL.stream().map(ModelFamily::modelType).collect(Collectors.joining(", "));
    }

    private static FamilyBuilder gemma(String modelType, String architecture) {
        return FamilyBuilder.llamaLike(modelType, architecture, GEMMA_TENSORS)
                .biases(Flag.key("attention_bias", false), Flag.key("attention_bias", false), Flag.NEVER)
                .activation("hidden_activation", "gelu_pytorch_tanh")
                .placement(NormPlacement.SANDWICH)
                .normOffset(1)
                .scale((config, _, _) -> 1 / Math.sqrt(config.positive("query_pre_attn_scalar", 256)))
                .embeddingScale(config -> Math.sqrt(config.positive("hidden_size")))
                .tied();
    }

    private static FamilyBuilder gemma3(String modelType, String architecture) {
        return gemma(modelType, architecture)
                .sizeDefaults(Map.of(
                        "head_dim", 256,
                        "num_attention_heads", 8,
                        "num_key_value_heads", 4,
                        "vocab_size", 262_208,
                        "max_position_embeddings", 131_072))
                .queryKeyNorm(QueryKeyNorm.PER_HEAD)
                .window(Windows::gemma3)
                .rotary((config, layer) -> Windows.gemma3(config, layer) > 0
                        ? new RotaryKeys("rope_local_base_freq", 10_000, "", 1, "sliding_attention", false, false)
                        : RotaryKeys.DEFAULT.thetaDefault(1_000_000))
                .logitSoftcap(config -> softcap(config, "final_logit_softcapping", 0));
    }

    /** 0, which is off, where the key is there and null. */
    private static double softcap(ConfigJson config, String key, double whenAbsent) {
        return config.positive(key, config.nulled(key) ? 0 : whenAbsent);
    }

    private static double gpt2Scale(ConfigJson config, int layer, int headSize) {
        double scale = config.flag("scale_attn_weights", true) ? 1 / Math.sqrt(headSize) : 1;
        return config.flag("scale_attn_by_inverse_layer_idx", false) ? scale / (layer + 1) : scale;
    }

    /** Which layers see how far. */
    private static final class Windows {
        private static final int WINDOW_MAX = ModelFamily.POSITIONS_MAX;

        /** 0, which is no window, where the key is there and null. */
        static int size(ConfigJson config, int whenAbsent) {
            return config.integer(WINDOW, 1, WINDOW_MAX, config.nulled(WINDOW) ? 0 : whenAbsent);
        }

        /** By {@code layer_types} where a file has it. */
        static int byType(ConfigJson config, int layer, boolean otherwise) {
            boolean sliding = otherwise;
            if (config.has("layer_types")) {
                int layerCount = config.integer("num_hidden_layers", 1, ModelFamily.LAYERS_MAX);
                sliding = switch (config.texts("layer_types", layerCount).get(layer)) {
                    case "sliding_attention" -> true;
                    case "full_attention" -> false;
                    default -> throw config.refuse("layer_types", "must be sliding_attention or full_attention");
                };
            }
            return sliding ? size(config, 4096) : 0;
        }

        static int qwen(ConfigJson config, int layer) {
            return config.flag("use_sliding_window", false)
                    ? byType(config, layer, layer >= config.integer("max_window_layers", 0, 1 << 20, 28))
                    : 0;
        }

        static boolean smollm3Rotates(ConfigJson config, int layer) {
            if (config.has("no_rope_layers")) {
                var flags = config.integers("no_rope_layers", 0, 1, ModelFamily.LAYERS_MAX);
                if (layer >= flags.size()) {
                    throw config.refuse("no_rope_layers", "must have an entry for layer " + layer);
                }
                return flags.get(layer) == 1;
            }
            return (layer + 1) % config.integer("no_rope_layer_interval", 1, ModelFamily.LAYERS_MAX, 4) != 0;
        }

        static int smollm3(ConfigJson config, int layer) {
            return config.flag("use_sliding_window", false) && config.has(WINDOW)
                    ? byType(config, layer, !smollm3Rotates(config, layer))
                    : 0;
        }

        static int gemma3(ConfigJson config, int layer) {
            int pattern = config.integer("sliding_window_pattern", 1, ModelFamily.LAYERS_MAX, 6);
            return byType(config, layer, (layer + 1) % pattern != 0);
        }
    }
}
