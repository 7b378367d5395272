package dev.kvasir.model;

import dev.kvasir.model.config.ConfigJson;
import dev.kvasir.model.config.Families;
import dev.kvasir.model.config.ModelConfig;
import dev.kvasir.model.config.ModelFamily;
import dev.kvasir.model.weights.DType;
import dev.kvasir.model.weights.DummyWeights;
import dev.kvasir.model.weights.LoadProgress;
import dev.kvasir.model.weights.ModelWeights;
import dev.kvasir.model.weights.SafetensorsFolder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * A folder as Hugging Face publishes models: configuration, weights and tokenizer files. Opening reads and checks the
 * configuration; weights are opened apart. Every fault is a {@link ModelFileException} with file, key and value.
 */
public final class ModelFolder {
    /** Weights up to this size are checked for NaN and infinity unless told otherwise: a second or so. */
    public static final long CHECKED_BYTES_MAX = 4L << 30;

    private static final String CALLED_FOR =
            "a model is a folder as on Hugging Face, with config.json, tokenizer.json and *.safetensors";
    private static final String NO_FOLDER = "is a file, but " + CALLED_FOR + "; GGUF is not read";
    private static final String NOT_THERE = "no such folder; nothing is downloaded, and " + CALLED_FOR
            + " ('hf download NAME --local-dir DIR' makes one)";
    private static final String NO_CONFIG = "has no config.json, but " + CALLED_FOR + "; GGUF is not read";

    private final Path path;
    private final ConfigJson configJson;
    private final ModelFamily family;
    private final ModelConfig config;
    private final GenerationDefaults generation;

    private ModelFolder(Path path, ConfigJson configJson) {
        this.path = path;
        this.configJson = configJson;
        this.family = Families.of(configJson);
        this.config = family.read(configJson);
        var generationFile = path.resolve("generation_config.json");
        this.generation = GenerationDefaults.read(
                Files.exists(generationFile) ? ConfigJson.read(generationFile) : ConfigJson.empty(generationFile),
                config);
    }

    /** Reads the configuration of a model. */
    public static ModelFolder open(Path path) {
        if (!Files.isDirectory(path)) {
            throw new ModelFileException(path, "", null, Files.exists(path) ? NO_FOLDER : NOT_THERE);
        }
        if (!Files.exists(path.resolve("config.json"))) {
            throw new ModelFileException(path, "", null, NO_CONFIG);
        }
        return new ModelFolder(path, ConfigJson.read(path.resolve("config.json")));
    }

    public Path path() {
        return path;
    }

    /** What the folder is called: the default served model name. */
    public String name() {
        return path.toAbsolutePath().normalize().getFileName().toString();
    }

    public ModelConfig config() {
        return config;
    }

    public GenerationDefaults generation() {
        return generation;
    }

    public Path tokenizerFile() {
        return path.resolve("tokenizer.json");
    }

    public Path tokenizerConfigFile() {
        return path.resolve("tokenizer_config.json");
    }

    /** The chat template in a file of its own, where newer models have it. */
    public Optional<Path> chatTemplateFile() {
        return Optional.of(path.resolve("chat_template.jinja")).filter(Files::isRegularFile);
    }

    /** Refuses a tokenizer that knows ids beyond the embedding table. */
    public void requireVocabulary(int tokenIdMax) {
        if (tokenIdMax >= config.vocabSize()) {
            throw configJson.refuse(
                    "vocab_size",
                    "is smaller than the tokenizer, whose largest token id is %d (%s)"
                            .formatted(tokenIdMax, tokenizerFile()));
        }
    }

    /** When weights are read and checked in full before serving. */
    public enum Check {
        /** For NaN and infinity, if they are no larger than {@link #CHECKED_BYTES_MAX}. */
        WHEN_SMALL,
        ALWAYS,
        /** Only mapped: pages are read when first touched. */
        NEVER
    }

    /** Maps the weights; reads and checks them as asked. */
    public ModelWeights weights(Check check, LoadProgress progress) {
        var source = SafetensorsFolder.open(path);
        boolean checked =
                check == Check.ALWAYS || (check == Check.WHEN_SMALL && source.byteSize() <= CHECKED_BYTES_MAX);
        try {
            if (checked) {
                source.readAll(true, progress);
            }
            return new ModelWeights(config, family.tensors(), source);
        } catch (RuntimeException e) {
            source.close();
            throw e;
        }
    }

    /** Random weights of this model's geometry; the folder needs no weight files. */
    public ModelWeights dummyWeights(DType type, long seed, LoadProgress progress) {
        var source = DummyWeights.create(configJson.file(), config, family.tensors(), type, seed, progress);
        return new ModelWeights(config, family.tensors(), source);
    }

    /** Stands for random weights that the caller makes itself. */
    public ModelWeights weightsMadeElsewhere(DType type, long seed) {
        return new ModelWeights(config, family.tensors(), DummyWeights.elsewhere(configJson.file(), type, seed));
    }

    /**
     * What must be equal for one worker's KV blocks to mean the same to another.
     *
     * @param servedLength longest sequence served, on which the rotation of keys may depend
     */
    public Fingerprint fingerprint(ModelWeights weights, int servedLength) {
        return Fingerprint.of(config, weights.source(), servedLength);
    }
}
