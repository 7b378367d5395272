package dev.kvasir.bench;

import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * What is asked. Every request is a pure function of seed and index, so two runs with the same workload ask the same
 * questions and can be compared request by request.
 *
 * @param count requests measured
 * @param input prompt length, without the shared prefix
 * @param prefixGroups number of distinct shared prefixes; 0 for none. Request i begins with prefix {@code i mod groups}
 * @param prefixLength length of each shared prefix
 * @param documentQuestions each document is asked about so often in a row; 0 for no documents. The document has the input
 *     length, each question {@link #QUESTION_LENGTH} tokens of its own
 * @param tokens ids are drawn from [min, max]
 * @param asText send words instead of token ids
 */
public record Workload(
        int count,
        Lengths input,
        Lengths output,
        int prefixGroups,
        int prefixLength,
        int documentQuestions,
        Lengths tokens,
        boolean asText,
        long seed) {
    public static final int COUNT_MAX = 1_000_000;
    public static final int QUESTION_LENGTH = 16;

    /** Requests that only warm the server up are drawn from indices that no measured request has. */
    private static final int WARM_UP_INDEX = COUNT_MAX;

    private static final String[] SYLLABLES = {
        "ka", "lo", "mi", "ru", "ta", "ve", "so", "ni", "pe", "do", "ha", "ji", "gu", "be", "fa", "zo"
    };

    public Workload {
        require(count >= 1 && count <= COUNT_MAX, "number of prompts", count, "1.." + COUNT_MAX);
        require(prefixGroups >= 0 && prefixGroups <= COUNT_MAX, "prefix groups", prefixGroups, "0.." + COUNT_MAX);
        require(prefixLength >= 0 && prefixLength <= Lengths.TOKENS_MAX, "prefix length", prefixLength, "0..4000000");
        require(
                documentQuestions >= 0 && documentQuestions <= COUNT_MAX,
                "document questions",
                documentQuestions,
                "0.." + COUNT_MAX);
        require(
                (prefixGroups > 0) == (prefixLength > 0),
                "prefix length",
                prefixLength,
                "given together with prefix groups");
        require(
                documentQuestions == 0 || prefixGroups == 0,
                "prefix groups",
                prefixGroups,
                "0 where document questions are asked");
    }

    private static void require(boolean holds, String name, int value, String allowed) {
        if (!holds) {
            throw new IllegalArgumentException("%s is %d but must be %s".formatted(name, value, allowed));
        }
    }

    /** The same, longer or shorter. */
    Workload ofCount(int other) {
        return new Workload(other, input, output, prefixGroups, prefixLength, documentQuestions, tokens, asText, seed);
    }

    /** Request {@code index} of this workload. */
    PlannedRequest request(int index) {
        var random = random(1, index);
        int outputLength = output.draw(random);
        if (documentQuestions > 0) {
            int document = index / documentQuestions;
            var prefix = draw(random(2, document), input.draw(random(3, document)));
            boolean repeated = index % documentQuestions > 0;
            return plan(index, document, repeated, concat(prefix, draw(random, QUESTION_LENGTH)), outputLength);
        }
        int inputLength = input.draw(random);
        if (prefixGroups > 0) {
            int group = index % prefixGroups;
            var prefix = draw(random(2, group), prefixLength);
            return plan(index, group, index >= prefixGroups, concat(prefix, draw(random, inputLength)), outputLength);
        }
        return plan(index, -1, false, draw(random, inputLength), outputLength);
    }

    /** A request like the measured ones that shares nothing with them. */
    PlannedRequest warmUp(int index) {
        var random = random(4, WARM_UP_INDEX + index);
        return plan(index, -1, false, draw(random, input.draw(random)), output.draw(random));
    }

    private PlannedRequest plan(int index, int group, boolean repeated, int[] ids, int outputLength) {
        var prompt = asText ? new Prompt.Text(words(ids)) : new Prompt.Tokens(ids);
        return new PlannedRequest(index, group, repeated, prompt, ids.length, outputLength);
    }

    private int[] draw(SplittableRandom random, int length) {
        var ids = new int[length];
        Arrays.setAll(ids, _ -> tokens.draw(random));
        return ids;
    }

    private SplittableRandom random(int stream, int index) {
        long mixed = seed * 0x9E3779B97F4A7C15L + stream * 0xBF58476D1CE4E5B9L + index * 0x94D049BB133111EBL;
        return new SplittableRandom(new SplittableRandom(mixed).nextLong());
    }

    private static int[] concat(int[] first, int[] second) {
        var all = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, all, first.length, second.length);
        return all;
    }

    /** A made-up word per id, so that text has the same shared prefixes as token ids have. */
    private static String words(int[] ids) {
        var text = new StringBuilder(ids.length * 6);
        for (int id : ids) {
            text.append(text.isEmpty() ? "" : " ");
            for (int rest = id; ; rest >>>= 4) {
                text.append(SYLLABLES[rest & 15]);
                if (rest < 16) {
                    break;
                }
            }
        }
        return text.toString();
    }
}
