package dev.kvasir.model.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.model.ModelFileException;
import dev.kvasir.model.ModelFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FamiliesTest {
    private static final String LLAMA = """
            {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 100, "hidden_size": 48,
             "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 6, "num_key_value_heads": 3,
             "max_position_embeddings": 128, "rope_theta": 10000.0, "rms_norm_eps": 1e-5, "hidden_act": "silu",
             "eos_token_id": [2, 3], "bos_token_id": 1, "attention_bias": false}
            """;

    @TempDir
    private Path folder;

    @Test
    void llamaIsReadInFull() throws IOException {
        var config = read(LLAMA);
        assertThat(config.hiddenSize()).isEqualTo(48);
        assertThat(config.layers()).hasSize(2);
        assertThat(config.eosTokenIds()).containsExactly(2, 3);
        assertThat(config.bosTokenId()).isEqualTo(1);
        assertThat(config.tied()).isFalse();
        var attention = (Attention) config.layers().getFirst().mixer();
        assertThat(attention.headSize()).isEqualTo(8);
        assertThat(attention.rotary()).isEqualTo(new Rotary(8, 10_000, new RotaryScaling.None(), false));
        assertThat(WeightShapes.parameterCount(config))
                .isEqualTo(2 * 100 * 48 + 48 + 2 * (2 * 48 + 2 * 48 * 48 + 2 * 24 * 48 + 3 * 48 * 64));
    }

    @Test
    void oldAndNewSpellingsOfRotationMeanTheSame() throws IOException {
        var older = LLAMA.replace(
                "\"rope_theta\": 10000.0",
                "\"rope_theta\": 500.0, \"rope_scaling\": {\"type\": \"linear\", \"factor\": 4}");
        var newer = LLAMA.replace(
                "\"rope_theta\": 10000.0",
                "\"rope_parameters\": {\"rope_type\": \"linear\", \"factor\": 4.0, \"rope_theta\": 500}");
        assertThat(read(older)).isEqualTo(read(newer));
    }

    @Test
    void rotationDependsOnTheServedLengthOnlyWhereAScalingSaysSo() throws IOException {
        var plain = rotary(read(LLAMA));
        var dynamic = rotary(read(LLAMA.replace(
                "\"attention_bias\"", "\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2}, \"attention_bias\"")));
        assertThat(plain.inverseFrequencies(4096)).isEqualTo(plain.inverseFrequencies(1));
        assertThat(dynamic.inverseFrequencies(128)).isEqualTo(plain.inverseFrequencies(128));
        assertThat(dynamic.inverseFrequencies(256)).isNotEqualTo(plain.inverseFrequencies(256));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"hidden_size\": 48 | \"hidden_size\": 0 | hidden_size = 0: must be between 1 and 1048576",
                "\"hidden_size\": 48, | '' | hidden_size: is missing",
                "\"hidden_size\": 48 | \"hidden_size\": \"48\" | hidden_size = \"48\": must be a whole number",
                "\"hidden_size\": 48 | \"hidden_size\": 50 | num_attention_heads = 6: must divide hidden_size = 50, or"
                        + " head_dim must be given",
                "\"num_key_value_heads\": 3 | \"num_key_value_heads\": 4 | num_key_value_heads = 4: must divide"
                        + " num_attention_heads = 6",
                "\"num_hidden_layers\": 2 | \"num_hidden_layers\": 1000000000 | num_hidden_layers = 1000000000: must be"
                        + " between 1 and 1024",
                "\"num_hidden_layers\": 2 | \"num_hidden_layers\": 99999999999999999999 | num_hidden_layers ="
                        + " 99999999999999999999: must be between 1 and 1024",
                "10000.0 | NaN | rope_theta = NaN: must be finite",
                "10000.0 | -1 | rope_theta = -1: must be above 0",
                "10000.0 | 1e400 | rope_theta = Infinity: must be finite",
                "LlamaForCausalLM | NoSuchModel | architectures = [\"NoSuchModel\"]: is not known; known are"
                        + " LlamaForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM, MistralForCausalLM, Phi3ForCausalLM,"
                        + " SmolLM3ForCausalLM, Olmo2ForCausalLM, GraniteForCausalLM, Gemma2ForCausalLM,"
                        + " Gemma3ForCausalLM, Gemma3ForConditionalGeneration, GPTNeoXForCausalLM, GPT2LMHeadModel",
                "\"silu\" | \"mish\" | hidden_act = \"mish\": must be one of silu, swish, gelu, gelu_new, gelu_fast,"
                        + " gelu_pytorch_tanh, relu",
                "[2, 3] | [2, 100] | eos_token_id = [2,100]: must be whole numbers between 0 and 99",
                "\"attention_bias\": false | \"attention_bias\": 1 | attention_bias = 1: must be true or false",
                "\"attention_bias\": false | \"rope_scaling\": {\"type\": \"new\"} | rope_scaling.type = \"new\": must be"
                        + " one of default, linear, dynamic, llama3, yarn, longrope",
                "\"attention_bias\": false | \"rope_scaling\": {\"type\": \"linear\"} | rope_scaling.factor: is missing",
                "\"attention_bias\": false | \"rope_scaling\": [1] | rope_scaling = [1]: must be an object",
                "\"attention_bias\": false | \"head_dim\": 7 | partial_rotary_factor: must rotate whole pairs within a"
                        + " head of 7 elements",
                "\"attention_bias\": false | \"quantization_config\": {\"bits\": 4} | quantization_config ="
                        + " {\"bits\":4}: quantised weights are not supported; f32, f16 and bf16 are",
            })
    void wrongValuesAreRefusedByFileKeyAndValue(String from, String to, String message) {
        assertThatThrownBy(() -> read(LLAMA.replace(from, to)))
                .isInstanceOf(ModelFileException.class)
                .hasMessage(folder.resolve("config.json") + ": " + message);
    }

    @Test
    void aFileThatIsNotOneJsonObjectIsRefused() throws IOException {
        assertThatThrownBy(() -> ModelFolder.open(folder))
                .hasMessageStartingWith(folder + ": has no config.json, but a model is a folder as on Hugging Face");
        assertThatThrownBy(() -> ModelFolder.open(folder.resolve("absent")))
                .hasMessageStartingWith(folder.resolve("absent") + ": no such folder; nothing is downloaded");
        var gguf = Files.writeString(folder.resolve("model.gguf"), "GGUF");
        assertThatThrownBy(() -> ModelFolder.open(gguf))
                .hasMessageStartingWith(gguf + ": is a file, but a model is a folder")
                .hasMessageContaining("GGUF is not read");
        assertThatThrownBy(() -> read("[]")).hasMessage(folder.resolve("config.json") + ": must hold a JSON object");
        assertThatThrownBy(() -> read(LLAMA + "x")).hasMessageContaining("is not valid JSON");
        assertThatThrownBy(() -> read("{\"hidden_size\": 1, \"hidden_size\": 2}"))
                .hasMessageContaining("is not valid JSON: Duplicate field 'hidden_size' (line 1, column 33)");
        assertThatThrownBy(() -> read("{\"a\":".repeat(5000) + "1" + "}".repeat(5000)))
                .hasMessageContaining("is not valid JSON");
    }

    @Test
    void aTokenizerLargerThanTheEmbeddingIsRefused() throws IOException {
        read(LLAMA);
        var model = ModelFolder.open(folder);
        model.requireVocabulary(99);
        assertThatThrownBy(() -> model.requireVocabulary(100))
                .hasMessage("%s: vocab_size = 100: is smaller than the tokenizer, whose largest token id is 100 (%s)"
                        .formatted(folder.resolve("config.json"), folder.resolve("tokenizer.json")));
    }

    @Test
    void generationDefaultsAreReadAndChecked() throws IOException {
        read(LLAMA);
        assertThat(ModelFolder.open(folder).generation().eosTokenIds()).containsExactly(2, 3);
        var file = folder.resolve("generation_config.json");
        Files.writeString(file, "{\"temperature\": 0.6, \"top_p\": 0.9, \"top_k\": 20, \"eos_token_id\": 7}");
        var defaults = ModelFolder.open(folder).generation();
        assertThat(defaults.temperature()).isEqualTo(0.6);
        assertThat(defaults.topK()).isEqualTo(20);
        assertThat(defaults.minP()).isNull();
        assertThat(defaults.eosTokenIds()).containsExactly(7);
        Files.writeString(file, "{\"top_p\": 1.5}");
        assertThatThrownBy(() -> ModelFolder.open(folder))
                .hasMessage(file + ": top_p = 1.5: must be between 0.0 and 1.0");
    }

    private static Rotary rotary(ModelConfig config) {
        var rotary = ((Attention) config.layers().getFirst().mixer()).rotary();
        assertThat(rotary).isNotNull();
        return rotary;
    }

    private ModelConfig read(String json) throws IOException {
        Files.writeString(folder.resolve("config.json"), json);
        return ModelFolder.open(folder).config();
    }
}
