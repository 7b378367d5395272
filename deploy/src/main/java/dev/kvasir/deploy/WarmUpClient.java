package dev.kvasir.deploy;

import dev.kvasir.router.ServedModel;
import dev.kvasir.v1.ChatMessage;
import dev.kvasir.v1.ChatRequest;
import dev.kvasir.v1.GenerateRequest;
import dev.kvasir.v1.InferenceGrpc;
import dev.kvasir.v1.Sampling;
import dev.kvasir.v1.TokenIds;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/**
 * Asks as users do, of both doors, one request after the other: chats, completions, short prompts, long ones of token ids, of
 * which all but the last few tokens were there before. For one thread.
 */
final class WarmUpClient implements Closeable {
    static final int OUTPUT_TOKENS = 8;

    private static final int TIMEOUT_MILLIS = 10_000;
    private static final int KINDS = 8;
    private static final int NEW_TOKENS = 16;

    private final ServedModel model;
    private final int[] longPrompt;
    private final int httpPort;
    private final ManagedChannel channel;
    private final SplittableRandom random;
    private final byte[] received = new byte[1 << 14];
    private final boolean chat;
    private int asked;

    WarmUpClient(ServedModel model, int[] longPrompt, int httpPort, int grpcPort, int number) {
        this.model = model;
        this.longPrompt = longPrompt.clone();
        this.httpPort = httpPort;
        this.random = new SplittableRandom(number);
        this.chat = model.text().chat().isPresent();
        this.channel = NettyChannelBuilder.forAddress(
                        InetAddress.getLoopbackAddress().getHostAddress(), grpcPort)
                .usePlaintext()
                .build();
    }

    /** Asks one question and reads the answer to its end, whatever it is. */
    void ask() throws IOException {
        switch (asked++ % KINDS) {
            case 0, 4 -> http(chatPath(), chatBody(true));
            case 1 -> http("/v1/completions", completionBody("[" + ids(longPrompt.length) + "]", true));
            case 2 -> grpc(false);
            case 3 -> http("/v1/completions", completionBody("[" + ids(longPrompt.length) + "]", false));
            case 5 -> http("/v1/completions", completionBody("\"" + question() + "\"", true));
            case 6 -> grpc(true);
            default -> http(chatPath(), chatBody(false));
        }
    }

    private String chatPath() {
        return chat ? "/v1/chat/completions" : "/v1/completions";
    }

    private String chatBody(boolean stream) {
        return chat
                ? """
                {"model": "%s", "stream": %b, "max_tokens": %d, "temperature": 0.7, "stop": ["\\n\\n"], \
                "stream_options": {"include_usage": true}, "messages": [\
                {"role": "user", "content": "Good morning."}, \
                {"role": "assistant", "content": "Good morning. What can I do for you?"}, \
                {"role": "user", "content": "%s"}]}""".formatted(model.name(), stream, OUTPUT_TOKENS, question())
                : completionBody("\"" + question() + "\"", stream);
    }

    private String completionBody(String prompt, boolean stream) {
        return """
                {"model": "%s", "prompt": %s, "max_tokens": %d, "temperature": 0, "stream": %b}""".formatted(model.name(), prompt, OUTPUT_TOKENS, stream);
    }

    private String question() {
        return "What is %d + %d? Answer in a short sentence."
                .formatted(random.nextInt(10, 100), random.nextInt(10, 100));
    }

    private int[] prompt(int length) {
        var ids = Arrays.copyOf(longPrompt, length);
        for (int i = Math.max(0, length - NEW_TOKENS); i < length; i++) {
            ids[i] = longPrompt[random.nextInt(longPrompt.length)];
        }
        return ids;
    }

    private String ids(int length) {
        return Arrays.stream(prompt(length)).mapToObj(Integer::toString).collect(Collectors.joining(", "));
    }

    /** A connection for each request, as many clients do. */
    private void http(String path, String body) throws IOException {
        var bytes = body.getBytes(StandardCharsets.UTF_8);
        var head = String.format(
                Locale.ROOT,
                "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n",
                path,
                httpPort,
                bytes.length);
        try (var socket = new Socket(InetAddress.getLoopbackAddress(), httpPort)) {
            socket.setTcpNoDelay(true);
            socket.setSoTimeout(TIMEOUT_MILLIS);
            var out = socket.getOutputStream();
            out.write(head.getBytes(StandardCharsets.US_ASCII));
            out.write(bytes);
            readToEnd(socket.getInputStream());
        }
    }

    private void readToEnd(InputStream in) throws IOException {
        int count = in.read(received);
        while (count >= 0) {
            count = in.read(received);
        }
    }

    private void grpc(boolean talk) {
        var sampling = Sampling.newBuilder().setMaxTokens(OUTPUT_TOKENS).build();
        var stub = InferenceGrpc.newBlockingStub(channel).withDeadlineAfter(TIMEOUT_MILLIS, TimeUnit.MILLISECONDS);
        try {
            var answer = talk && chat
                    ? stub.chat(ChatRequest.newBuilder()
                            .addMessages(
                                    ChatMessage.newBuilder().setRole("user").setContent(question()))
                            .setSampling(sampling)
                            .build())
                    : stub.generate(GenerateRequest.newBuilder()
                            .setTokens(TokenIds.newBuilder()
                                    .addAllIds(Arrays.stream(prompt(longPrompt.length))
                                            .boxed()
                                            .toList()))
                            .setSampling(sampling)
                            .build());
            while (answer.hasNext()) {
                answer.next();
            }
        } catch (StatusRuntimeException _) {
            // A refusal is a way through the door as well.
        }
    }

    @Override
    public void close() {
        channel.shutdownNow();
    }
}
