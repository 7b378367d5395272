package dev.kvasir.deploy;

import dev.kvasir.model.tokenizer.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code kvasir tokenize}: text to token ids and back, without a server. */
@Command(
        name = "tokenize",
        sortOptions = false,
        description = "Shows the tokens of a text, or with --detokenize the text of token ids.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  kvasir tokenize 'Hello world'",
            "  kvasir tokenize --ids < letter.txt",
            "  kvasir tokenize --detokenize 17 230 9"
        })
final class TokenizeCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Mixin
    private ModelFlags model;

    @Option(names = "--detokenize", description = "The words are token ids.")
    private boolean detokenize;

    @Option(names = "--ids", description = "Print ids only, on one line.")
    private boolean idsOnly;

    @Option(
            names = "--add-special-tokens",
            negatable = true,
            defaultValue = "true",
            fallbackValue = "true",
            description = "Add what the model puts around a text (default: on).")
    private boolean addSpecialTokens;

    @Parameters(
            arity = "0..*",
            paramLabel = "WORDS",
            description = "Text or ids; joined by spaces. None: standard input.")
    private @Nullable List<String> words;

    @Override
    public Integer call() {
        var config = KvasirConfig.load(model.configFile(), System.getenv(), model.given());
        var input = words == null ? Terminal.readAll(System.in) : String.join(" ", words);
        var out = spec.commandLine().getOut();
        try (var tokenizer = Tokenizer.open(config.model())) {
            if (detokenize) {
                out.println(tokenizer.decode(ids(input, tokenizer.vocabularySize()), false));
                return Kvasir.SUCCESS;
            }
            var ids = tokenizer.encode(input, addSpecialTokens);
            if (idsOnly) {
                out.println(Arrays.stream(ids).mapToObj(Integer::toString).collect(Collectors.joining(" ")));
                return Kvasir.SUCCESS;
            }
            for (int id : ids) {
                out.printf(
                        "%8d  %s%s%n", id, quoted(tokenizer.bytes(id)), tokenizer.isSpecial(id) ? "  (special)" : "");
            }
            out.printf("%d tokens, %d characters%n", ids.length, input.codePointCount(0, input.length()));
        }
        return Kvasir.SUCCESS;
    }

    private static int[] ids(String input, int vocabularySize) {
        return Arrays.stream(input.strip().split("[\\s,\\[\\]]+"))
                .filter(word -> !word.isEmpty())
                .mapToInt(word -> {
                    int id = word.matches("[0-9]{1,9}") ? Integer.parseInt(word) : -1;
                    if (id < 0 || id >= vocabularySize) {
                        throw new CommandException(
                                "token id is '%s' but must be in 0..%d".formatted(word, vocabularySize - 1));
                    }
                    return id;
                })
                .toArray();
    }

    /** The text of a token with its spaces and control characters visible; bytes that are no text in hexadecimal. */
    private static String quoted(byte[] bytes) {
        var text = new String(bytes, StandardCharsets.UTF_8);
        if (!Arrays.equals(text.getBytes(StandardCharsets.UTF_8), bytes)) {
            var hex = new StringBuilder();
            for (byte b : bytes) {
                hex.append("\\x%02x".formatted(b));
            }
            return "'" + hex + "'";
        }
        return "'"
                + text.replace("\\", "\\\\")
                        .replace("\n", "\\n")
                        .replace("\r", "\\r")
                        .replace("\t", "\\t") + "'";
    }
}
