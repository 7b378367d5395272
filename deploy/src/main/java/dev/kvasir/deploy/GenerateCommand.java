package dev.kvasir.deploy;

import java.net.URI;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code kvasir generate}: continues one prompt and ends. */
@Command(
        name = "generate",
        sortOptions = false,
        description = "Continues a prompt and prints the text as it comes.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  kvasir generate --chat 'What is 17 + 25?'",
            "  kvasir generate --temperature 0.8 --seed 1 'Once upon a time'",
            "  kvasir generate --url http://127.0.0.1:8000 < prompt.txt"
        })
final class GenerateCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Parameters(
            arity = "0..*",
            paramLabel = "PROMPT",
            description = "Words are joined by spaces. None: standard input.")
    private @Nullable List<String> words;

    @Option(names = "--chat", description = "The prompt is a user's message in a conversation.")
    private boolean chat;

    @Option(
            names = "--url",
            paramLabel = "URL",
            description = "Ask this server (default: run the model in this process).")
    private @Nullable URI url;

    @Option(names = "--usage", description = "Print token counts to standard error at the end.")
    private boolean usage;

    @Mixin
    private ClientFlags client;

    @Mixin
    private SamplingFlags sampling;

    @Mixin
    private ModelFlags model;

    @Override
    public Integer call() throws InterruptedException {
        var prompt = words == null ? Terminal.readAll(System.in) : String.join(" ", words);
        var out = spec.commandLine().getOut();
        try (var server = Server.of(url, client, model, spec.commandLine().getErr())) {
            var request = ApiClient.JSON
                    .createObjectNode()
                    .put("model", server.client().model());
            sampling.into(request);
            if (chat) {
                request.putArray("messages").addObject().put("role", "user").put("content", prompt);
            } else {
                request.put("prompt", prompt);
            }
            var end = server.client().stream(chat ? "/v1/chat/completions" : "/v1/completions", request, piece -> {
                out.print(piece);
                out.flush();
            });
            out.println();
            if (usage) {
                spec.commandLine()
                        .getErr()
                        .printf(
                                "%d prompt tokens (%d cached), %d generated, finish reason %s%n",
                                end.promptTokens(), end.cachedTokens(), end.completionTokens(), end.finishReason());
            }
        }
        return Kvasir.SUCCESS;
    }
}
