package dev.kvasir.router.http;

import dev.kvasir.router.Frontend;
import dev.kvasir.router.RequestDraft;
import dev.kvasir.router.RequestIds;
import dev.kvasir.router.ResumePoint;
import dev.kvasir.router.ValidRequest;
import java.time.InstantSource;
import java.util.List;
import java.util.function.Function;

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
        long now = now();
        var id = frontend.newRequestId();
        for (int prompt = 0; prompt < request.drafts().size(); prompt++) {
            request.drafts()
                    .get(prompt)
                    .id(RequestIds.part(id.value(), prompt))
                    .door(DoorNotes.of(request, prompt, now))
                    .tenant(exchange.caller().tenant());
        }
        answer(exchange, request.drafts(), request.wishes(), prompts -> new CompletionFormat(request, prompts, now));
    }

    void chat(Exchange exchange) throws InterruptedException {
        var request = ChatRequest.read(new Fields(exchange.json()), exchange.arrivalNanos(), exchange.requestId());
        long now = now();
        request.draft()
                .door(DoorNotes.of(request, now))
                .tenant(exchange.caller().tenant());
        answer(
                exchange,
                List.of(request.draft()),
                request.wishes(),
                prompts -> new ChatFormat(request, prompts.getFirst(), now));
    }

    /** Goes on with a stream that broke off, in the form that it had. */
    void resume(Exchange exchange) throws InterruptedException {
        var id = RequestIds.bare(exchange.pathParameter("id"));
        var position = exchange.query("next_index").or(exchange::lastEventId);
        var received = position.map(StreamPosition::parse).orElse(ResumePoint.START);
        try (var answers = Answers.resume(
                frontend, id, received, exchange.timeout(), exchange.caller().ownTenant())) {
            var notes = new DoorNotes(answers.get(0).request().door());
            var format = notes.format(answers.requests(), id);
            ClientConnection.current()
                    .answering(
                            answers::cancel,
                            () -> EventStream.write(
                                    exchange.response(), answers, format, notes.usage(), frontend.decisions()));
        }
    }

    private void answer(
            Exchange exchange,
            List<RequestDraft> drafts,
            GenerationFields.Wishes wishes,
            Function<List<ValidRequest>, AnswerFormat> formats)
            throws InterruptedException {
        try (var answers = Answers.open(frontend, drafts, exchange.timeout())) {
            var format = formats.apply(answers.requests());
            ClientConnection.current().answering(answers::cancel, () -> {
                if (wishes.stream()) {
                    EventStream.write(exchange.response(), answers, format, wishes.usage(), frontend.decisions());
                } else {
                    var whole = format.whole(WholeAnswer.read(answers));
                    PlacementNote.addTo(whole, answers, frontend.decisions());
                    exchange.send(200, whole);
                }
            });
        }
    }

    private long now() {
        return clock.instant().getEpochSecond();
    }
}
