package dev.kvasir.deploy;

import com.fasterxml.jackson.databind.node.ArrayNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.net.URI;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code kvasir chat}: a conversation in the terminal. */
@Command(
        name = "chat",
        sortOptions = false,
        description = "Talks with a model: with a running server by --url, else with one in this process.")
final class ChatCommand implements Callable<Integer> {
    private static final String HELP = """
            /reset         begin a new conversation
            /system TEXT   begin a new conversation with this system message
            /help          show this
            /quit          leave (so does Ctrl-D)""";

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--url",
            paramLabel = "URL",
            description = "Server to talk with (default: run the model in this process).")
    private @Nullable URI url;

    @Option(names = "--system", paramLabel = "TEXT", description = "System message.")
    private @Nullable String system;

    @Mixin
    private ClientFlags client;

    @Mixin
    private SamplingFlags sampling;

    @Mixin
    private ModelFlags model;

    @Override
    public Integer call() throws InterruptedException, IOException {
        var out = spec.commandLine().getOut();
        try (var server = Server.of(url, client, model, spec.commandLine().getErr());
                var lines = Terminal.lines(System.in)) {
            var name = server.client().model();
            out.printf("Talking with %s. /help lists commands, /quit leaves.%n", name);
            converse(server.client(), name, lines, out);
        }
        return Kvasir.SUCCESS;
    }

    private void converse(ApiClient client, String name, BufferedReader lines, PrintWriter out)
            throws IOException, InterruptedException {
        var messages = opening(system);
        while (true) {
            out.print("> ");
            out.flush();
            var line = lines.readLine();
            if (line == null || line.strip().equals("/quit") || line.strip().equals("/exit")) {
                out.println();
                return;
            }
            if (line.isBlank()) {
                continue;
            }
            if (line.startsWith("/")) {
                messages = command(line.strip(), messages, out);
                continue;
            }
            answer(client, name, messages, line, out);
        }
    }

    private static ArrayNode command(String line, ArrayNode messages, PrintWriter out) {
        if (line.equals("/reset") || line.startsWith("/system ")) {
            out.println("A new conversation.");
            return opening(line.equals("/reset") ? null : line.substring("/system ".length()));
        }
        out.println(line.equals("/help") ? HELP : "unknown command " + line + "\n" + HELP);
        return messages;
    }

    private static ArrayNode opening(@Nullable String system) {
        var messages = ApiClient.JSON.createArrayNode();
        if (system != null) {
            messages.addObject().put("role", "system").put("content", system);
        }
        return messages;
    }

    /** Adds question and answer to the conversation; a question that fails is taken back. */
    private void answer(ApiClient client, String name, ArrayNode messages, String question, PrintWriter out)
            throws InterruptedException {
        messages.addObject().put("role", "user").put("content", question);
        var request = ApiClient.JSON.createObjectNode().put("model", name);
        request.set("messages", messages);
        sampling.into(request);
        var text = new StringBuilder();
        try {
            client.stream("/v1/chat/completions", request, piece -> {
                text.append(piece);
                out.print(piece);
                out.flush();
            });
            out.println();
            messages.addObject().put("role", "assistant").put("content", text.toString());
        } catch (CommandException e) {
            messages.remove(messages.size() - 1);
            out.println("(" + e.getMessage() + ")");
        }
    }
}
