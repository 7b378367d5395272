package dev.kvasir.router.http;

import dev.kvasir.router.Frontend;
import dev.kvasir.router.RequestDraft;
import dev.kvasir.router.ResponseStream;
import dev.kvasir.router.ValidRequest;
import java.time.InstantSource;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;

/** {@code /v1/completions} and {@code /v1/chat/completions}. */
final class GenerationRoutes {
    private final Frontend frontend;
    private final InstantSource clock;

    GenerationRoutes(Frontend frontend, InstantSource clock) {
        this.frontend = frontend;
        this.clock = clock;
    }

    void complete(Exchange exchange) throws InterruptedException {
        var request =
                CompletionRequest.read(new Fields(exchange.json()), exchange.arrivalNanos(), exchange.requestId());
        answer(
                exchange,
                request.drafts(),
                request.streaming(),
                prompts -> new CompletionFormat(request, prompts, now()));
    }

    void chat(Exchange exchange) throws InterruptedException {
        var request = ChatRequest.read(new Fields(exchange.json()), exchange.arrivalNanos(), exchange.requestId());
        answer(
                exchange,
                List.of(request.draft()),
                request.streaming(),
                prompts -> new ChatFormat(request, prompts.getFirst(), now()));
    }

    private void answer(
            Exchange exchange,
            List<RequestDraft> drafts,
            GenerationFields.Streaming streaming,
            Function<List<ValidRequest>, AnswerFormat> formats)
            throws InterruptedException {
        try (var answers = Answers.open(frontend, drafts)) {
            var format = formats.apply(IntStream.range(0, answers.size())
                    .mapToObj(answers::get)
                    .map(ResponseStream::request)
                    .toList());
            ClientConnection.current().answering(answers::cancel, () -> {
                if (streaming.stream()) {
                    EventStream.write(exchange.response(), answers, format, streaming.usage());
                } else {
                    exchange.send(200, format.whole(WholeAnswer.read(answers)));
                }
            });
        }
    }

    private long now() {
        return clock.instant().getEpochSecond();
    }
}
