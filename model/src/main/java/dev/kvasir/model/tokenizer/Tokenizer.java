package dev.kvasir.model.tokenizer;

import dev.kvasir.model.ModelFileException;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * The tokenizer of a model folder: text to token ids exactly as Hugging Face's {@code tokenizers} makes them, and back.
 * Owns native memory until closed. Any number of threads may use it; use after {@link #close} throws.
 *
 * <p>In a text prompt the texts of special tokens become those tokens, as everywhere in the field. In a chat only the
 * template can write them: see {@link #encodeChat}.
 */
public final class Tokenizer implements AutoCloseable {
    /** Characters encoded at most, where nothing else is said: encoding them takes about two seconds at worst. */
    public static final int DEFAULT_TEXT_CHARS_MAX = 1_000_000;

    private final TokenizerFile file;
    private final int textCharsMax;
    private final NativeTokenizer plain;
    private final SegmentEncoder segments;
    private final ChatEncoder chat;
    private final Decoding decoding;
    private final BitSet special = new BitSet();
    private final Map<String, Integer> addedIds = new HashMap<>();
    private final OptionalInt beginningOfText;
    private final OptionalInt endOfText;

    private Tokenizer(
            TokenizerFile file,
            SpecialTokens named,
            int jsonHash,
            NativeTokenizer plain,
            int textCharsMax,
            long cacheBytes) {
        this.file = file;
        this.plain = plain;
        this.textCharsMax = textCharsMax;
        this.decoding = new Decoding(file.path(), file.decoder());
        for (AddedToken token : file.added()) {
            special.set(token.id(), token.special());
            addedIds.put(token.content(), token.id());
        }
        this.beginningOfText = named(named, "bos_token");
        this.endOfText = named(named, "eos_token");
        this.segments = SegmentEncoder.of(file, plain, cacheBytes);
        this.chat = new ChatEncoder(file, jsonHash);
    }

    /** Opens the tokenizer of a model folder. */
    public static Tokenizer open(Path folder) {
        return open(folder, DEFAULT_TEXT_CHARS_MAX, 0);
    }

    /**
     * Opens the tokenizer of a model folder.
     *
     * @param textCharsMax longest text that is encoded; longer ones are refused before any work
     * @param cacheBytes memory for ids of parts of texts, so that they need not be encoded again; 0 for none
     */
    public static Tokenizer open(Path folder, int textCharsMax, long cacheBytes) {
        var path = folder.resolve("tokenizer.json");
        String json = TokenizerFile.text(path);
        var file = TokenizerFile.parse(path, json);
        var plain = NativeTokenizer.create(path, json);
        try {
            return new Tokenizer(file, SpecialTokens.read(folder), json.hashCode(), plain, textCharsMax, cacheBytes);
        } catch (RuntimeException e) {
            plain.close();
            throw e;
        }
    }

    /**
     * Encodes a text prompt. Texts of special tokens in it become those tokens.
     *
     * @param addSpecialTokens whether to add what the model puts around a text, such as its beginning-of-text token
     */
    public int[] encode(String text, boolean addSpecialTokens) {
        return plain.encode(checked(text), addSpecialTokens);
    }

    /**
     * The same, sooner where parts of the text were encoded before.
     *
     * @param scope whose text it is: what was encoded for others is of no use
     */
    public int[] encode(String text, boolean addSpecialTokens, String scope) {
        return segments.encode(checked(text), addSpecialTokens, scope);
    }

    /** What the cache of parts of texts was good for, since the beginning. */
    public Reuse reuse() {
        return segments.reuse();
    }

    /**
     * Characters of texts long enough to be looked up in parts.
     *
     * @param looked all of them
     * @param found those of parts whose ids were there
     */
    public record Reuse(long looked, long found) {}

    /**
     * Encodes a rendered conversation; the template has already written the tokens around it. Equal to {@link #encode} but
     * where the request's own strings hold the text of a control token: there it is encoded as the text it is. Control
     * tokens are the special ones and those others that the template writes.
     */
    public int[] encodeChat(RenderedPrompt prompt) {
        checked(prompt.text());
        return chat.encode(prompt, text -> plain.encode(text, false));
    }

    /** The same, sooner where parts of it were encoded before for the same scope. */
    public int[] encodeChat(RenderedPrompt prompt, String scope) {
        checked(prompt.text());
        return chat.encode(prompt, text -> segments.encode(text, false, scope));
    }

    /** The text of a sequence of tokens. Ids without a token, as padded models have, are no text. */
    public String decode(int[] ids, boolean skipSpecialTokens) {
        var detokenizer = detokenizer(skipSpecialTokens);
        var text = new StringBuilder();
        for (int id : ids) {
            text.append(detokenizer.append(id));
        }
        return text.append(detokenizer.finish()).toString();
    }

    /** Decodes one sequence as its tokens come. */
    public Detokenizer detokenizer(boolean skipSpecialTokens) {
        return new Detokenizer(this, decoding.start(), skipSpecialTokens);
    }

    /** Exactly the bytes that a token stands for within a text. */
    public byte[] bytes(int id) {
        return decoding.bytes(file.pieces().get(checkedId(id)));
    }

    /** Whether a token controls rather than says something. */
    public boolean isSpecial(int id) {
        return id >= 0 && special.get(id);
    }

    /** Number of ids, from 0 on; a model may have more rows than that. */
    public int vocabularySize() {
        return file.size();
    }

    /** The id of an added token by its exact text, such as {@code <|im_end|>}. */
    public OptionalInt addedToken(String content) {
        Integer id = addedIds.get(content);
        return id == null ? OptionalInt.empty() : OptionalInt.of(id);
    }

    /** The token that begins a text, where {@code tokenizer_config.json} names one. */
    public OptionalInt beginningOfText() {
        return beginningOfText;
    }

    /** The token that ends a text, where {@code tokenizer_config.json} names one. */
    public OptionalInt endOfText() {
        return endOfText;
    }

    /** Gives the native memory back, after those who encode now. */
    @Override
    public void close() {
        chat.close();
        plain.close();
    }

    /** The stored form of a token, or null for an id that has none. */
    @Nullable
    String piece(int id) {
        return id < 0 || id >= file.size() ? null : file.pieces().get(id);
    }

    private OptionalInt named(SpecialTokens tokens, String name) {
        String text = tokens.texts().get(name);
        if (text == null) {
            return OptionalInt.empty();
        }
        int id = addedIds.getOrDefault(text, file.pieces().indexOf(text));
        if (id < 0) {
            throw new ModelFileException(file.path(), name, text, "is named in tokenizer_config.json but has no id");
        }
        return OptionalInt.of(id);
    }

    private int checkedId(int id) {
        if (id < 0 || id >= file.size()) {
            throw new IllegalArgumentException("token id %d is not between 0 and %d".formatted(id, file.size() - 1));
        }
        return id;
    }

    private String checked(String text) {
        if (text.length() > textCharsMax) {
            throw new PromptException(
                    "the prompt has %d characters, at most %d are encoded".formatted(text.length(), textCharsMax));
        }
        return text;
    }
}
