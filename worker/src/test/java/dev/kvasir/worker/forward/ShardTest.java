package dev.kvasir.worker.forward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.model.ModelFolder;
import dev.kvasir.model.config.ModelConfig;
import dev.kvasir.model.config.WeightRole;
import dev.kvasir.model.config.WeightShapes;
import dev.kvasir.worker.kernel.KvFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ShardTest {
    private static ModelConfig config(String golden) {
        return GoldenCase.all().stream()
                .filter(candidate -> candidate.name().equals(golden))
                .map(GoldenCase::folder)
                .map(ModelFolder::open)
                .map(ModelFolder::config)
                .findFirst()
                .orElseThrow();
    }

    @ParameterizedTest
    @CsvSource({"qwen2,2", "gemma2,2", "gemma2,4", "gpt2-unprefixed,2", "gpt2-unprefixed,4", "llama-llama3,2"})
    void everyElementOfASplitWeightIsWithOneRankAndKvHeadsWithAsManyAsShareThem(String golden, int ranks) {
        var config = config(golden);
        Shard.requireDivisible(config, ranks);
        for (var layer : config.layers()) {
            for (var role : WeightRole.values()) {
                var shape = role.perLayer() ? WeightShapes.of(config, layer, role) : WeightShapes.of(config, role);
                if (shape.isEmpty()) {
                    continue;
                }
                var held = new int[shape.getFirst()][shape.getLast()];
                for (int rank = 0; rank < ranks; rank++) {
                    var shard = new Shard(rank, ranks);
                    count(held, role.perLayer() ? shard.slice(layer, role) : shard.slice(config, role), shape);
                }
                int kvHeads = Activations.attention(layer).kvHeadCount();
                int expected = switch (role) {
                    case QUERY, QUERY_BIAS, GATE, GATE_BIAS, UP, UP_BIAS, ATTENTION_OUTPUT, DOWN -> 1;
                    case ATTENTION_OUTPUT_BIAS, DOWN_BIAS, OUTPUT -> 1;
                    case KEY, KEY_BIAS, VALUE, VALUE_BIAS -> Math.max(1, ranks / kvHeads);
                    default -> ranks;
                };
                assertThat(List.of(held))
                        .as("%s", role)
                        .allSatisfy(row -> assertThat(row).containsOnly(expected));
            }
        }
    }

    private static void count(int[][] held, Slice slice, List<Integer> shape) {
        int rows = shape.getFirst();
        int columns = shape.getLast();
        int fromRow = slice instanceof Slice.Rows part ? part.from() : 0;
        int toRow = slice instanceof Slice.Rows part ? part.from() + part.count() : rows;
        int fromColumn = slice instanceof Slice.Columns part ? part.from() : 0;
        int toColumn = slice instanceof Slice.Columns part ? part.from() + part.count() : columns;
        for (int row = fromRow; row < (slice instanceof Slice.Elsewhere ? fromRow : toRow); row++) {
            for (int column = fromColumn; column < toColumn; column++) {
                held[row][column]++;
            }
        }
    }

    @Test
    void aRankHasTheWeightsAndBlocksOfItsHeads() {
        var config = config("gemma2");
        var limits = new DecoderLimits(8, 4, 64);
        var whole = ModelMemory.of(config, limits, 16, KvFormat.BF16);
        var part = ModelMemory.of(config, new Shard(0, 2), limits, 16, KvFormat.BF16);
        assertThat(part.bytesPerBlock()).isEqualTo(whole.bytesPerBlock() / 2);
        long embedding = (long) config.vocabSize() * config.hiddenSize();
        assertThat(part.parameterCount()).isBetween(whole.parameterCount() / 2, whole.parameterCount() / 2 + embedding);
        // Of one KV head each rank has all.
        var shared = ModelMemory.of(config, new Shard(3, 4), limits, 16, KvFormat.BF16);
        assertThat(shared.bytesPerBlock()).isEqualTo(whole.bytesPerBlock() / 2);
    }

    @Test
    void theVocabularyIsSplitIntoStretchesOfAMultipleOfEight() {
        var config = config("gemma2");
        assertThat(new Shard(0, 2).vocabulary(config)).containsExactly(80, 71);
        assertThat(new Shard(3, 4).vocabulary(config)).containsExactly(40, 40, 40, 31);
        assertThat(new Shard(1, 4).output(config)).isEqualTo(new Slice.Rows(40, 40));
        assertThat(Shard.WHOLE.vocabulary(config)).containsExactly(151);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "gpt2 | 2 | it has 5 query heads, no multiple",
                "llama-gqa | 2 | it has 3 KV heads, neither a multiple nor a divisor",
                "llama-gqa | 3 | it has 56 feed-forward columns, no multiple",
                "olmo2 | 2 | it has 3 KV heads, neither a multiple nor a divisor",
            })
    void whatCannotBeSplitIsRefusedWithItsSizes(String golden, int ranks, String reason) {
        var config = config(golden);
        assertThatThrownBy(() -> Shard.requireDivisible(config, ranks))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("tensor-parallel-size is %d, but %s cannot be split so: %s"
                        .formatted(ranks, config.architecture(), reason));
        assertThatCode(() -> Shard.requireDivisible(config, 1)).doesNotThrowAnyException();
    }
}
