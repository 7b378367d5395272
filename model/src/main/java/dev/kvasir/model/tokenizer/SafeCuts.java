package dev.kvasir.model.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Where a text may be cut so that its parts, encoded one by one, have the ids of the whole, whatever stands before and after.
 *
 * <p><b>Before an added token</b> that is matched in the text as it came and takes no white space before it. The library finds such
 * tokens first, leftmost and longest, and treats what is between two of them alone, from normalisation to ids; what depends on
 * the place in the text depends on being at its very beginning, where the token stands then. Holds for every kind of tokenizer, unless some
 * token looks at the letters around it.
 *
 * <p><b>Between words</b>, where the pre-tokenizer is a regular expression whose alternatives are known here: before a space between two
 * ASCII letters, and between a line's end and an ASCII letter, if an ASCII character that is not white space stands before the line's end. No
 * alternative matches across either place, and the only one that looks ahead, white space before white space, sees the same with the text
 * ending there. Where the normaliser is none or NFC, neither place composes with what is around it.
 */
final class SafeCuts {
    private static final Set<String> ALTERNATIVES = Set.of(
            "(?i:'s|'t|'re|'ve|'m|'ll|'d)",
            "'(?i:[sdmt]|ll|ve|re)",
            "'s",
            "'t",
            "'re",
            "'ve",
            "'m",
            "'ll",
            "'d",
            "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+",
            "[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+",
            "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+",
            "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*",
            "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
            "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
            " ?\\p{L}+",
            " ?\\p{N}+",
            "\\p{N}",
            "\\p{N}{1,3}",
            " ?[^\\s\\p{L}\\p{N}]+",
            " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*",
            " ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*",
            " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*",
            "\\s*[\\r\\n]+",
            "\\s*[\\r\\n]",
            "\\s+(?!\\S)",
            "\\s+");

    private final ControlTokens tokens;
    private final boolean betweenWords;

    private SafeCuts(ControlTokens tokens, boolean betweenWords) {
        this.tokens = tokens;
        this.betweenWords = betweenWords;
    }

    /** Null where no cut is safe. */
    static @Nullable SafeCuts of(TokenizerFile file) {
        var added = file.added();
        if (file.random() || added.stream().anyMatch(token -> token.matching().wordsAlone())) {
            return null;
        }
        var asTheyCome =
                added.stream().filter(token -> !token.matching().normalized()).toList();
        return new SafeCuts(new ControlTokens(asTheyCome), isSplitBetweenWords(file));
    }

    /**
     * The first safe cut from {@code least} on; the text's end where there is none.
     *
     * @param from the beginning of the text, or a safe cut
     */
    int next(String text, int from, int least) {
        int end = text.length();
        for (int at = from; at < end; ) {
            var token = tokens.longestAt(text, at, end);
            if (at >= least && (token == null ? isBetweenWords(text, at) : isCutBefore(token))) {
                return at;
            }
            at += token == null ? 1 : token.content().length();
        }
        return end;
    }

    private static boolean isCutBefore(AddedToken token) {
        return !token.matching().takesLeft()
                && !Character.isWhitespace(token.content().charAt(0));
    }

    private boolean isBetweenWords(String text, int at) {
        if (!betweenWords || at < 2 || at + 1 >= text.length()) {
            return false;
        }
        char before = text.charAt(at - 1);
        return before == '\n'
                ? isLetter(text.charAt(at)) && isVisible(text.charAt(at - 2))
                : text.charAt(at) == ' ' && isLetter(before) && isLetter(text.charAt(at + 1));
    }

    private static boolean isLetter(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    }

    private static boolean isVisible(char c) {
        return c > ' ' && c < 0x7f;
    }

    private static boolean isSplitBetweenWords(TokenizerFile file) {
        return isNoneOrNfc(file.normalizer())
                && isKnown(file.preTokenizer())
                && file.added().stream().allMatch(SafeCuts::staysWithinWords);
    }

    private static boolean isNoneOrNfc(JsonNode normalizer) {
        return normalizer.isNull() || normalizer.path("type").asText().equals("NFC");
    }

    /** It matches across neither kind of place, and takes no white space from there. */
    private static boolean staysWithinWords(AddedToken token) {
        var content = token.content();
        for (int i = 1; i < content.length(); i++) {
            char before = content.charAt(i - 1);
            char c = content.charAt(i);
            if ((isLetter(before) && c == ' ') || (before == '\n' && isLetter(c))) {
                return false;
            }
        }
        return !token.matching().takesLeft() && !token.matching().takesRight();
    }

    /** Bytes as letters in the end, after splits that are known. */
    private static boolean isKnown(JsonNode preTokenizer) {
        var steps = new ArrayList<JsonNode>();
        if (preTokenizer.path("type").asText().equals("Sequence")) {
            preTokenizer.path("pretokenizers").forEach(steps::add);
        } else {
            steps.add(preTokenizer);
        }
        return !steps.isEmpty() && steps.stream().allMatch(SafeCuts::isKnownStep) && splits(steps);
    }

    /** A step that splits where the text is to be cut. */
    private static boolean splits(List<JsonNode> steps) {
        return steps.stream()
                .anyMatch(step -> step.path("use_regex").asBoolean(false)
                        || alternatives(step.path("pattern").path("Regex").asText())
                                .contains("\\s+"));
    }

    private static boolean isKnownStep(JsonNode step) {
        return switch (step.path("type").asText()) {
            case "Digits" -> true;
            case "ByteLevel" ->
                !step.path("add_prefix_space").asBoolean(true)
                        && step.path("use_regex").isBoolean();
            case "Split" ->
                step.path("behavior").asText().equals("Isolated")
                        && !step.path("invert").asBoolean(true)
                        && ALTERNATIVES.containsAll(
                                alternatives(step.path("pattern").path("Regex").asText()));
            default -> false;
        };
    }

    /** Parts of a regular expression between bars that stand in no bracket. */
    private static List<String> alternatives(String regex) {
        var alternatives = new ArrayList<String>();
        int depth = 0;
        int from = 0;
        for (int i = 0; i < regex.length(); i++) {
            switch (regex.charAt(i)) {
                case '(', '[' -> depth++;
                case ')', ']' -> depth--;
                case '|' -> {
                    if (depth == 0) {
                        alternatives.add(regex.substring(from, i));
                        from = i + 1;
                    }
                }
                default -> {}
            }
        }
        alternatives.add(regex.substring(from));
        return alternatives;
    }
}
