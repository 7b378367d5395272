package dev.kvasir.model.tokenizer;

import java.util.BitSet;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/** Finds the texts of control tokens in a text: at each place the longest, from left to right, none overlapping. */
final class ControlTokens {
    private final Node root = new Node();
    /** Letters that some token begins with: few, so that most places need no further look. */
    private final BitSet firstLetters = new BitSet();

    ControlTokens(Collection<AddedToken> tokens) {
        for (AddedToken token : tokens) {
            Node node = root;
            firstLetters.set(token.content().charAt(0));
            for (char letter : token.content().toCharArray()) {
                node = node.children.computeIfAbsent(letter, _ -> new Node());
            }
            node.token = token;
        }
    }

    /** Called with each match in order. */
    interface Matches {
        void match(int start, AddedToken token);
    }

    void find(String text, int from, int to, Matches matches) {
        for (int i = from; i < to; ) {
            AddedToken token = longestAt(text, i, to);
            if (token == null) {
                i++;
            } else {
                matches.match(i, token);
                i += token.content().length();
            }
        }
    }

    /** The places of all matches, start and end each. */
    void find(String text, IntConsumer places) {
        find(text, 0, text.length(), (start, token) -> {
            places.accept(start);
            places.accept(start + token.content().length());
        });
    }

    /** The longest that begins at a place and ends before {@code to}; null for none. */
    @Nullable
    AddedToken longestAt(String text, int from, int to) {
        if (!firstLetters.get(text.charAt(from))) {
            return null;
        }
        AddedToken longest = null;
        Node node = root;
        for (int i = from; i < to && node != null; i++) {
            node = node.children.get(text.charAt(i));
            if (node != null && node.token != null) {
                longest = node.token;
            }
        }
        return longest;
    }

    private static final class Node {
        final Map<Character, Node> children = new HashMap<>();

        @Nullable
        AddedToken token;
    }
}
