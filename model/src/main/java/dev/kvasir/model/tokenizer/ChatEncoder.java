package dev.kvasir.model.tokenizer;

import dev.kvasir.model.ModelFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Encodes rendered conversations so that strings of the request never become control tokens.
 *
 * <p>Most prompts hold no control token's text but where the template wrote it; the plain tokenizer encodes them. For the
 * others there is a second one in which every control token goes by a secret name: the template's own are given that
 * name in the text, and what the request wrote matches nothing. All else, flags and normalisation included, is the
 * same, and so are the ids. It is made when it is first needed, since it takes as much memory as the plain one.
 */
final class ChatEncoder implements AutoCloseable {
    private static final int TEMPLATES_MAX = 8;

    private final Path path;
    private final int jsonHash;
    private final List<AddedToken> added;
    private final @Nullable String unknownToken;
    private final List<Marked> marked = new ArrayList<>();

    ChatEncoder(TokenizerFile file, int jsonHash) {
        this.path = file.path();
        this.jsonHash = jsonHash;
        this.added = file.added();
        this.unknownToken = file.unknownToken();
    }

    /** @param plain encodes a text in which all that looks like a control token may be one */
    int[] encode(RenderedPrompt prompt, Function<String, int[]> plain) {
        Marked controls = marked(prompt.template());
        var places = new ArrayList<Place>();
        templateStretches(
                prompt,
                (from, to) -> controls.matcher.find(
                        prompt.text(), from, to, (start, token) -> places.add(new Place(start, token))));
        int[] all = {0};
        controls.matcher.find(prompt.text(), 0, prompt.text().length(), (_, _) -> all[0]++);
        if (all[0] == places.size()) {
            int[] ids = plain.apply(prompt.text());
            // More than the template wrote: normalisation made a control token of something that looks like one.
            if (controls.count(ids) <= places.size()) {
                return ids;
            }
        }
        return controls.guarded().encode(renamed(prompt.text(), places, controls), false);
    }

    @Override
    public void close() {
        synchronized (marked) {
            marked.forEach(Marked::close);
        }
    }

    private record Place(int start, AddedToken token) {}

    /** Receives half-open intervals. */
    private interface Stretches {
        void stretch(int from, int to);
    }

    private static void templateStretches(RenderedPrompt prompt, Stretches stretches) {
        int from = 0;
        int[] spans = prompt.requestSpans();
        for (int i = 0; i < spans.length; i += 2) {
            stretches.stretch(from, spans[i]);
            from = spans[i + 1];
        }
        stretches.stretch(from, prompt.text().length());
    }

    private static String renamed(String text, List<Place> places, Marked controls) {
        var renamed = new StringBuilder(text.length() + 40 * places.size());
        int from = 0;
        for (Place place : places) {
            renamed.append(text, from, place.start).append(controls.names.of(place.token));
            from = place.start + place.token.content().length();
        }
        return renamed.append(text, from, text.length()).toString();
    }

    private Marked marked(String template) {
        synchronized (marked) {
            for (Marked known : marked) {
                if (known.template.equals(template)) {
                    return known;
                }
            }
            if (marked.size() == TEMPLATES_MAX) {
                throw new IllegalStateException(
                        "a tokenizer serves at most %d chat templates".formatted(TEMPLATES_MAX));
            }
            var fresh = new Marked(template);
            marked.add(fresh);
            return fresh;
        }
    }

    /** The control tokens under one template: the special ones, and what others the template spells out. */
    private final class Marked implements AutoCloseable {
        private final String template;
        private final List<AddedToken> controls;
        private final ControlTokens matcher;
        private final SecretNames names = SecretNames.fresh();
        private final BitSet ids = new BitSet();
        private @Nullable NativeTokenizer guarded;

        Marked(String template) {
            this.template = template;
            this.controls = added.stream()
                    .filter(token ->
                            token.special() || (!token.content().isBlank() && template.contains(token.content())))
                    .toList();
            this.matcher = new ControlTokens(controls);
            for (AddedToken token : controls) {
                // Unknown characters become this one in any text.
                ids.set(token.id(), !token.content().equals(unknownToken));
            }
        }

        int count(int[] tokens) {
            int count = 0;
            for (int token : tokens) {
                if (ids.get(token)) {
                    count++;
                }
            }
            return count;
        }

        synchronized NativeTokenizer guarded() {
            if (guarded == null) {
                guarded = open();
            }
            return guarded;
        }

        private NativeTokenizer open() {
            String json = TokenizerFile.text(path);
            if (json.hashCode() != jsonHash) {
                throw new ModelFileException(path, "", null, "has changed since it was opened");
            }
            var tokenizer = NativeTokenizer.create(path, names.rename(path, json, controls));
            for (AddedToken token : controls) {
                int[] encoded = tokenizer.encode(names.of(token), false);
                if (encoded.length != 1 || encoded[0] != token.id()) {
                    tokenizer.close();
                    throw new ModelFileException(
                            path, "added_tokens", token.content(), "cannot be told apart from the text of a message");
                }
            }
            return tokenizer;
        }

        @Override
        public synchronized void close() {
            if (guarded != null) {
                guarded.close();
            }
        }
    }
}
