package dev.kvasir.model.jinja;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDateTime;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Against what Python's jinja2 says; {@code src/test/python/make_chat_templates.py} wrote it down. */
class TemplateTest {
    private static final Path FOLDER = Path.of("src/test/resources/templates");
    private static final LocalDateTime NOW = LocalDateTime.of(2025, 7, 10, 12, 4, 5);
    private static final ObjectMapper JSON = new ObjectMapper();

    @ParameterizedTest(name = "{0}: {1}")
    @MethodSource("conversations")
    void rendersConversationsAsPythonDoes(String file, String name, JsonNode expected) throws IOException {
        check(Files.readString(FOLDER.resolve(file)), expected.path("variables"), expected);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("snippets")
    void rendersSnippetsAsPythonDoes(String template, JsonNode variables, JsonNode expected) {
        check(template, variables, expected);
    }

    static Stream<Arguments> conversations() throws IOException {
        return stream(JSON.readTree(FOLDER.resolve("expected.json").toFile()).path("cases"))
                .map(expected -> Arguments.of(
                        expected.path("template").asText(),
                        expected.path("case").asText(),
                        expected));
    }

    static Stream<Arguments> snippets() throws IOException {
        JsonNode file = JSON.readTree(FOLDER.resolve("snippets.json").toFile());
        return stream(file.path("snippets"))
                .map(expected -> Arguments.of(expected.path("template").asText(), file.path("variables"), expected));
    }

    private static Stream<JsonNode> stream(JsonNode list) {
        return StreamSupport.stream(list.spliterator(), false);
    }

    private static void check(String template, JsonNode variables, JsonNode expected) {
        var values = JSON.convertValue(variables, new TypeReference<Map<String, Object>>() {});
        if (expected.has("text")) {
            assertThat(render(template, values, Limits.DEFAULT).value())
                    .isEqualTo(expected.path("text").asText());
        } else if (expected.has("raised")) {
            assertThatThrownBy(() -> render(template, values, Limits.DEFAULT))
                    .isInstanceOfSatisfying(
                            TemplateException.class, e -> assertThat(e.kind()).isEqualTo(TemplateException.Kind.RAISED))
                    .hasMessage(expected.path("raised").asText());
        } else {
            assertThatThrownBy(() -> render(template, values, Limits.DEFAULT)).isInstanceOf(TemplateException.class);
        }
    }

    private static Text render(String template, Map<String, Object> variables, Limits limits) {
        return Template.compile(template).render(variables, limits, () -> NOW);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
                "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
                "{% set ns = namespace(s=[1]) %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
                "{% set ns = namespace(s=[1]) %}{% for i in range(99999) %}{% set ns.s = [ns.s] %}{% endfor %}{{ ns.s }}",
                "{% set ns = namespace(s=[1], t=[1]) %}{% for i in range(50000) %}{% set ns.s = [ns.s] %}"
                        + "{% set ns.t = [ns.t] %}{% endfor %}{{ ns.s == ns.t }}",
                "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
                "{% macro f(n) %}{{ f(n + 1) }}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
                "{{ 'x' * 999999999999 }}",
                "{{ [0] * 999999999 }}",
                "{{ 10 ** 10000000 }}",
                "{{ 'a'.ljust(2000000000) }}",
                "{{ '%999999999d' % 1 }}",
                "{{ '{:>999999999}'.format(1) }}",
                "{{ 'x' | center(2000000000) }}",
                "{{ range(999999999) }}",
                "{{ 'a' | indent(999999999) | length * 0 }}{{ ('x' * 1000000).replace('', 'xxxxxxxxxxxxxxx') }}"
            })
    void isStoppedByALimitThatItNames(String template) {
        assertThatThrownBy(() -> render(template, Map.of(), Limits.DEFAULT))
                .isInstanceOfSatisfying(
                        TemplateException.class, e -> assertThat(e.kind()).isEqualTo(TemplateException.Kind.LIMIT))
                .hasMessageMatching(".*(steps|characters|deep|deeper|bits|elements|wider).*");
    }

    @Test
    void isStoppedByItsDeadline() {
        var limits = new Limits(Long.MAX_VALUE, 1000, 100, Duration.ofMillis(20));
        assertThatThrownBy(() -> render(
                        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
                        Map.of(), limits))
                .hasMessageContaining("more than 20 ms");
    }

    @Test
    void refusesNestingThatWouldExhaustTheParser() {
        for (String open : new String[] {"(", "[", "-", "not ", "{'a': "}) {
            assertThatThrownBy(() -> Template.compile("{{ " + open.repeat(100_000)))
                    .isInstanceOf(TemplateException.class)
                    .hasMessageContaining("line 1");
        }
        assertThatThrownBy(() -> Template.compile("{% if x %}".repeat(100_000))).isInstanceOf(TemplateException.class);
        assertThatThrownBy(() -> Template.compile("{% if x %}" + "{% elif y %}".repeat(100_000)))
                .isInstanceOf(TemplateException.class);
    }

    @Test
    void errorsNameTheLine() {
        assertThatThrownBy(() -> Template.compile("a\nb\n{{ 1 + }}")).hasMessageStartingWith("line 3: ");
        assertThatThrownBy(() -> render("a\n{% for x in [1] %}\n{{ x.y.z }}{% endfor %}", Map.of(), Limits.DEFAULT))
                .hasMessage("line 3: 'int' has no attribute 'y'");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{{ x.class }}",
                "{{ x.getClass() }}",
                "{{ x['class'] }}",
                "{{ ''.__class__ }}",
                "{{ x.value }}",
                "{{ ''.getBytes() }}",
                "{{ x | attr('__class__') }}",
                "{{ range.__globals__ }}",
                "{{ self }}"
            })
    void reachesNoJavaObject(String template) {
        String text;
        try {
            text = render(template, Map.of("x", "text"), Limits.DEFAULT).value();
        } catch (TemplateException e) {
            text = "";
        }
        assertThat(text).isEmpty();
    }

    @Test
    void knowsWhichCharactersWereGiven() {
        var values = Map.<String, Object>of("u", " Given<TEXT> ", "l", List.of("x", "y"));
        assertGiven("[{{ u }}]", values, "[# Given<TEXT> #]");
        assertGiven("[{{ u | trim | lower }}]", values, "[#given<text>#]");
        assertGiven("{{ '<' + u.strip()[:5] + '>' }}", values, "<#Given#>");
        assertGiven(
                "{{ u.strip().split('<')[0] ~ '|' ~ u.replace('TEXT', 'own') }}", values, "#Given#|# Given<#own#> #");
        assertGiven("{{ l | join('-') }}{{ l | tojson }}", values, "#x#-#y#[\"#x#\", \"#y#\"]");
        assertGiven("{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m(l[0]) | upper }}", values, "<#X#>");
        assertGiven("{% set q %}a{{ l[1] }}b{% endset %}{{ q * 2 }}{{ q[::-1] }}", values, "a#y#ba#y#bb#y#a");
        assertGiven("{{ '%s=%s' % ('k', l[0]) }}{{ '{}'.format(l[1]) }}{{ l[0] | indent }}", values, "k=#xyx#");
        assertGiven("{{ {'k': l[0]} }}{{ u | length }}", values, "{'k': #'x'#}13");
    }

    private static void assertGiven(String template, Map<String, Object> values, String marked) {
        Text text = render(template, values, Limits.DEFAULT);
        var out = new StringBuilder(text.value());
        int[] places = Arrays.stream(text.givenSpans()).sorted().toArray();
        for (int i = places.length - 1; i >= 0; i--) {
            out.insert(places[i], '#');
        }
        assertThat(out.toString()).isEqualTo(marked);
    }
}
