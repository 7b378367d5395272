package dev.kvasir.router;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.protocol.FinishReason;
import dev.kvasir.protocol.ScoredToken;
import dev.kvasir.protocol.StreamEvent.Finished;
import dev.kvasir.protocol.StreamEvent.Tokens;
import dev.kvasir.router.OutputEvent.Completed;
import dev.kvasir.router.OutputEvent.Delta;
import dev.kvasir.router.OutputEvent.Finish;
import dev.kvasir.router.OutputEvent.Usage;
import dev.kvasir.router.StreamState.Effect;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.SplittableRandom;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

class StreamStateTest {
    private static final String TEXT = "naïve 😀 text, STOP and go on";

    /** What came out of one request. */
    private static final class Run {
        private final ValidRequest request;
        private final StreamState state;
        private final List<Effect> effects = new ArrayList<>();

        Run(UnaryOperator<RequestDraft> change) {
            this(change, ResumePoint.START);
        }

        Run(UnaryOperator<RequestDraft> change, ResumePoint received) {
            var draft = RequestDraft.of(TestModel.NAME, 0).prompt(new Prompt.Text("hello", true));
            request = RequestRules.validate(change.apply(draft), TestModel.served(), true, new SplittableRandom(7));
            state = new StreamState(request, received);
        }

        void tokens(int output, int first, int... tokens) {
            var scored = Arrays.stream(tokens).mapToObj(ScoredToken::unscored).toList();
            effects.addAll(state.accept(new Tokens(request.generation().id(), output, first, scored, 3)));
        }

        void finished(int output, int count, FinishReason reason, int stopToken) {
            var stop = stopToken < 0 ? OptionalInt.empty() : OptionalInt.of(stopToken);
            effects.addAll(state.accept(new Finished(request.generation().id(), output, count, reason, stop)));
        }

        List<OutputEvent> events() {
            return effects.stream()
                    .filter(Effect.Emit.class::isInstance)
                    .map(e -> ((Effect.Emit) e).event())
                    .toList();
        }

        List<Delta> deltas(int output) {
            return events().stream()
                    .filter(e -> e instanceof Delta d && d.outputIndex() == output)
                    .map(Delta.class::cast)
                    .toList();
        }

        String text(int output) {
            var text = new StringBuilder();
            deltas(output).forEach(d -> text.append(d.text()));
            return text.toString();
        }

        OutputEvent last() {
            return events().getLast();
        }

        Finish finish(int output) {
            var finish = deltas(output).getLast().finish();
            assertThat(finish).isNotNull();
            return Objects.requireNonNull(finish);
        }
    }

    private static Run say(String text, UnaryOperator<RequestDraft> change) {
        var run = new Run(change);
        int[] tokens = TestModel.tokens(text);
        for (int i = 0; i < tokens.length; i++) {
            run.tokens(0, i, tokens[i]);
        }
        run.tokens(0, tokens.length, TestModel.END_TOKEN);
        run.finished(0, tokens.length + 1, FinishReason.STOP, TestModel.END_TOKEN);
        return run;
    }

    @Test
    void tokensBecomeTextUsageAndAnEnd() {
        var run = say(TEXT, d -> d);
        assertThat(run.text(0)).isEqualTo(TEXT);
        assertThat(run.finish(0)).isEqualTo(new Finish(FinishReason.STOP, null, OptionalInt.empty()));
        int prompt = run.request.generation().prompt().length;
        assertThat(run.last()).isEqualTo(new Completed(new Usage(prompt, TestModel.tokens(TEXT).length + 1, 3)));
        assertThat(run.state.ended()).isTrue();
    }

    @Test
    void halfACharacterIsNeverGivenOut() {
        say("😀é漢", d -> d).deltas(0).forEach(d -> assertThat(d.text()).doesNotContain("\uFFFD"));
    }

    @Test
    void stopTextEndsTheOutputWithoutAppearingAndIsCancelledAtTheWorker() {
        var run = say(TEXT, d -> d.stop(List.of("STOP", "unused")));
        assertThat(run.text(0)).isEqualTo("naïve 😀 text, ");
        assertThat(run.finish(0)).isEqualTo(new Finish(FinishReason.STOP, "STOP", OptionalInt.empty()));
        assertThat(run.effects).contains(new Effect.CancelOutput(0));
        assertThat(run.last()).isInstanceOf(Completed.class);
    }

    @Test
    void stopTextIsKeptWhereAskedFor() {
        assertThat(say(TEXT, d -> d.stop(List.of("STOP")).includeStop(true)).text(0))
                .isEqualTo("naïve 😀 text, STOP");
    }

    @Test
    void textHeldBackForAStopTextComesAtTheEnd() {
        assertThat(say("it is ST", d -> d.stop(List.of("STOP"))).text(0)).isEqualTo("it is ST");
    }

    @Test
    void stopTextDoesNotCountBeforeMinTokens() {
        int tokens = TestModel.tokens(TEXT).length;
        var run = say(TEXT, d -> d.stop(List.of("STOP")).minTokens((long) tokens));
        assertThat(run.text(0)).isEqualTo(TEXT);
    }

    @Test
    void stopTokenIsReportedAndIsNoText() {
        var run = new Run(d -> d.stopTokenIds(List.of(40L)));
        run.tokens(0, 0, 50, 40);
        run.finished(0, 2, FinishReason.STOP, 40);
        assertThat(run.text(0)).isEqualTo(TestModel.TOKENIZER.decode(new int[] {50}, true));
        assertThat(run.finish(0)).isEqualTo(new Finish(FinishReason.STOP, null, OptionalInt.of(40)));
        assertThat(run.last())
                .isInstanceOfSatisfying(
                        Completed.class,
                        c -> assertThat(c.usage().completionTokens()).isEqualTo(2));
    }

    @Test
    void anEndTokenThatWasLostIsAskedFor() {
        var run = new Run(d -> d);
        run.tokens(0, 0, 50);
        run.finished(0, 2, FinishReason.STOP, TestModel.END_TOKEN);
        assertThat(run.effects).last().isEqualTo(new Effect.AskAgain());
        assertThat(run.state.ended()).isFalse();
        run.tokens(0, 1, TestModel.END_TOKEN);
        run.finished(0, 2, FinishReason.STOP, TestModel.END_TOKEN);
        assertThat(run.last())
                .isInstanceOfSatisfying(
                        Completed.class,
                        c -> assertThat(c.usage().completionTokens()).isEqualTo(2));
    }

    @Test
    void possibleEndThatWasNoneIsText() {
        var run = new Run(d -> d.stopTokenIds(List.of(40L)).minTokens(5L));
        run.tokens(0, 0, 40);
        run.tokens(0, 1, 50);
        assertThat(run.text(0)).isEqualTo(TestModel.TOKENIZER.decode(new int[] {40, 50}, true));
    }

    @Test
    void whatWasSeenBeforeIsDropped() {
        var run = new Run(d -> d);
        run.tokens(0, 0, 50, 51);
        run.tokens(0, 0, 50, 51);
        run.tokens(0, 1, 51, 52);
        assertThat(run.deltas(0)).hasSize(2);
        assertThat(run.text(0)).isEqualTo(TestModel.TOKENIZER.decode(new int[] {50, 51, 52}, true));
    }

    @Test
    void whatIsMissingIsAskedForAgainAndNothingIsGivenOutInItsPlace() {
        var run = new Run(d -> d.maxTokens(4L));
        run.tokens(0, 0, 50);
        run.tokens(0, 3, 53);
        assertThat(run.effects.getLast()).isEqualTo(new Effect.AskAgain());
        assertThat(run.state.next()).containsExactly(1);
        run.finished(0, 4, FinishReason.LENGTH, -1);
        assertThat(run.effects.getLast()).isEqualTo(new Effect.AskAgain());
        assertThat(run.state.ended()).isFalse();
        run.tokens(0, 1, 51, 52, 53);
        run.finished(0, 4, FinishReason.LENGTH, -1);
        assertThat(run.text(0)).isEqualTo(TestModel.TOKENIZER.decode(new int[] {50, 51, 52, 53}, true));
        assertThat(run.last()).isInstanceOf(Completed.class);
    }

    @Test
    void aResumedAnswerBeginsWithTheFirstTokenThatTheClientDoesNotHave() {
        int[] tokens = TestModel.tokens(TEXT);
        var whole = say(TEXT, d -> d.stop(List.of("and g")));
        for (int have = 0; have <= whole.state.tokenCount(); have++) {
            var before = new StringBuilder();
            for (var delta : whole.deltas(0)) {
                before.append(delta.firstTokenIndex() < have ? delta.text() : "");
            }
            var run = new Run(
                    d -> d.stop(List.of("and g")), new ResumePoint(true, List.of(new ResumePoint.Output(have, false))));
            run.tokens(0, 0, Arrays.copyOf(tokens, tokens.length / 2));
            run.tokens(0, tokens.length / 2, Arrays.copyOfRange(tokens, tokens.length / 2, tokens.length));
            assertThat(before + run.text(0)).as("from %d", have).isEqualTo(whole.text(0));
            assertThat(run.last()).isEqualTo(whole.last());
        }
    }

    @Test
    void outputsAreIndependentAndTheLastOneCompletes() {
        var run = new Run(d -> d.n(2L).maxTokens(2L));
        run.tokens(1, 0, 60, 61);
        run.finished(1, 2, FinishReason.LENGTH, -1);
        assertThat(run.state.ended()).isFalse();
        run.tokens(0, 0, 50, 51);
        run.finished(0, 2, FinishReason.LENGTH, -1);
        assertThat(run.text(0)).isEqualTo(TestModel.TOKENIZER.decode(new int[] {50, 51}, true));
        assertThat(run.text(1)).isEqualTo(TestModel.TOKENIZER.decode(new int[] {60, 61}, true));
        assertThat(run.last()).isInstanceOf(Completed.class);
    }

    @Test
    void echoBeginsEachOutputWithThePrompt() {
        var run = new Run(d -> d.echo(true).n(2L));
        run.tokens(0, 0, 50);
        run.tokens(1, 0, 51);
        assertThat(run.text(0)).startsWith("hello");
        assertThat(run.text(1)).startsWith("hello");
    }

    @Test
    void duplicatesAndCutsOfMessagesDoNotChangeTheText() {
        Seeds.of(300).forEach(seed -> {
            var random = new SplittableRandom(seed);
            var run = new Run(d -> d.stop(List.of("and g")));
            int[] tokens = TestModel.tokens(TEXT);
            for (int next = 0; next < tokens.length; ) {
                int from = Math.max(0, next - random.nextInt(4));
                int to = Math.min(tokens.length, from + 1 + random.nextInt(4));
                run.tokens(0, from, Arrays.copyOfRange(tokens, from, to));
                next = Math.max(next, to);
            }
            assertThat(run.text(0)).withFailMessage("seed %d", seed).isEqualTo("naïve 😀 text, STOP ");
            assertThat(run.last()).withFailMessage("seed %d", seed).isInstanceOf(Completed.class);
        });
    }
}
