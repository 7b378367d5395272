package dev.kvasir.worker.forward;

import dev.kvasir.model.config.Attention;
import dev.kvasir.model.config.Layer;
import dev.kvasir.model.config.Mlp;
import dev.kvasir.model.config.ModelConfig;
import dev.kvasir.model.config.QueryKeyNorm;
import dev.kvasir.model.config.WeightRole;
import dev.kvasir.model.config.WeightShapes;
import java.util.ArrayList;
import java.util.List;

/**
 * The part of a decoder that one of several ranks computes (Megatron, arXiv:1909.08053). Pure arithmetic.
 *
 * <pre>
 * query, key, value, gate, up    rows: heads [rank * heads / ranks, ...), columns of the feed-forward likewise; with biases
 * attention output, down         columns, the inputs that this rank has; sums over ranks complete them; bias on rank 0
 * output projection              rows: tokens of the vocabulary, in stretches of a multiple of 8
 * embedding, positions, norms    whole
 * </pre>
 *
 * With fewer KV heads than ranks, neighbouring ranks hold the same KV head.
 */
public record Shard(int rank, int ranks) {
    /** A decoder that is not split. */
    public static final Shard WHOLE = new Shard(0, 1);

    private static final int VOCABULARY_STEP = 8;

    public Shard {
        if (ranks < 1 || rank < 0 || rank >= ranks) {
            throw new IllegalArgumentException("rank %d is outside [0, %d)".formatted(rank, ranks));
        }
    }

    /** Whether there are other ranks. */
    public boolean isPart() {
        return ranks > 1;
    }

    /**
     * Refuses what cannot be split evenly.
     *
     * @throws IllegalArgumentException naming the sizes
     */
    public static void requireDivisible(ModelConfig config, int ranks) {
        if (ranks == 1) {
            return;
        }
        for (var layer : config.layers()) {
            var attention = Activations.attention(layer);
            divides(config, "query heads", attention.headCount(), ranks);
            int kvHeads = attention.kvHeadCount();
            if (kvHeads % ranks != 0 && ranks % kvHeads != 0) {
                throw refusal(config, ranks, "has %d KV heads, neither a multiple nor a divisor".formatted(kvHeads));
            }
            divides(config, "feed-forward columns", Activations.mlp(layer).innerSize(), ranks);
            if (attention.queryKeyNorm() == QueryKeyNorm.WHOLE_ROW) {
                throw refusal(config, ranks, "normalises queries and keys over all heads together");
            }
        }
        if (config.vocabSize() <= (ranks - 1) * vocabularyStretch(config, ranks)) {
            throw refusal(config, ranks, "has a vocabulary of %d tokens".formatted(config.vocabSize()));
        }
    }

    private static void divides(ModelConfig config, String what, int count, int ranks) {
        if (count % ranks != 0) {
            throw refusal(config, ranks, "has %d %s, no multiple".formatted(count, what));
        }
    }

    private static IllegalArgumentException refusal(ModelConfig config, int ranks, String reason) {
        return new IllegalArgumentException("tensor-parallel-size is %d, but %s cannot be split so: it %s"
                .formatted(ranks, config.architecture(), reason));
    }

    /** The configuration of this rank's part; its vocabulary is the whole one. */
    public ModelConfig config(ModelConfig whole) {
        if (!isPart()) {
            return whole;
        }
        return new ModelConfig(
                whole.architecture(),
                whole.vocabSize(),
                whole.hiddenSize(),
                whole.maxPositions(),
                whole.embeddingScale(),
                whole.learnedPositions(),
                whole.layers().stream().map(this::layer).toList(),
                whole.finalNorm(),
                whole.tied(),
                whole.logitScale(),
                whole.logitSoftcap(),
                whole.eosTokenIds(),
                whole.bosTokenId());
    }

    private Layer layer(Layer whole) {
        var mlp = Activations.mlp(whole);
        return new Layer(
                attention(Activations.attention(whole)),
                new Mlp(mlp.innerSize() / ranks, mlp.activation(), mlp.gated(), mlp.bias()),
                whole.norm(),
                whole.placement(),
                whole.parallel(),
                whole.residualScale());
    }

    private Attention attention(Attention whole) {
        return new Attention(
                whole.headCount() / ranks,
                kvHeads(whole.kvHeadCount()),
                whole.headSize(),
                whole.scale(),
                whole.window(),
                whole.softcap(),
                whole.rotary(),
                whole.queryKeyNorm(),
                whole.bias(),
                whole.outputBias());
    }

    private int kvHeads(int all) {
        return Math.max(1, all / ranks);
    }

    /** This rank's first KV head of so many. */
    public int firstKvHead(int all) {
        return (int) ((long) rank * all / ranks);
    }

    /** Whether no rank before this one has the same KV heads. */
    public boolean ownsKvHeads(int all) {
        return rank == 0 || firstKvHead(all) != new Shard(rank - 1, ranks).firstKvHead(all);
    }

    /** Tokens of the vocabulary whose logits each rank computes, in the order of ranks. */
    public List<Integer> vocabulary(ModelConfig config) {
        int stretch = vocabularyStretch(config, ranks);
        var counts = new ArrayList<Integer>();
        for (int i = 0; i < ranks; i++) {
            counts.add(Math.min(stretch, config.vocabSize() - i * stretch));
        }
        return List.copyOf(counts);
    }

    private static int vocabularyStretch(ModelConfig config, int ranks) {
        return ranks == 1
                ? config.vocabSize()
                : Math.ceilDiv(Math.ceilDiv(config.vocabSize(), ranks), VOCABULARY_STEP) * VOCABULARY_STEP;
    }

    /** The rows of the output projection that this rank has, also where it is the embedding table. */
    public Slice.Rows output(ModelConfig config) {
        return new Slice.Rows(
                rank * vocabularyStretch(config, ranks), vocabulary(config).get(rank));
    }

    /** The part of a weight outside layers. */
    public Slice slice(ModelConfig config, WeightRole role) {
        return isPart() && role == WeightRole.OUTPUT ? output(config) : Slice.WHOLE;
    }

    /** The part of a weight of one layer of the whole model. */
    public Slice slice(Layer layer, WeightRole role) {
        if (!isPart()) {
            return Slice.WHOLE;
        }
        var attention = Activations.attention(layer);
        int query = attention.querySize() / ranks;
        int inner = Activations.mlp(layer).innerSize() / ranks;
        return switch (role) {
            case QUERY, QUERY_BIAS -> new Slice.Rows(rank * query, query);
            case KEY, KEY_BIAS, VALUE, VALUE_BIAS ->
                new Slice.Rows(
                        firstKvHead(attention.kvHeadCount()) * attention.headSize(),
                        kvHeads(attention.kvHeadCount()) * attention.headSize());
            case ATTENTION_OUTPUT -> new Slice.Columns(rank * query, query);
            case GATE, GATE_BIAS, UP, UP_BIAS -> new Slice.Rows(rank * inner, inner);
            case DOWN -> new Slice.Columns(rank * inner, inner);
            case ATTENTION_OUTPUT_BIAS, DOWN_BIAS -> rank == 0 ? Slice.WHOLE : Slice.ELSEWHERE;
            default -> Slice.WHOLE;
        };
    }

    /** Elements of all weights that this rank holds. */
    public long parameterCount(ModelConfig config) {
        long count = 0;
        for (var role : WeightRole.values()) {
            if (role.perLayer()) {
                for (var layer : config.layers()) {
                    count += elements(WeightShapes.of(config, layer, role), slice(layer, role));
                }
            } else {
                count += elements(WeightShapes.of(config, role), slice(config, role));
            }
        }
        return count;
    }

    private static long elements(List<Integer> shape, Slice slice) {
        if (shape.isEmpty()) {
            return 0;
        }
        long all = shape.stream().mapToLong(Integer::longValue).reduce(1, (a, b) -> a * b);
        return switch (slice) {
            case Slice.Whole() -> all;
            case Slice.Rows rows -> all / shape.getFirst() * rows.count();
            case Slice.Columns columns -> all / shape.getLast() * columns.count();
            case Slice.Elsewhere() -> 0;
        };
    }
}
