package dev.kvasir.model.jinja;

import java.time.LocalDateTime;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A chat template, compiled: the Jinja that Hugging Face's templates are written in, with Python's semantics, under the
 * settings that transformers renders them with. A rendering reaches nothing but the values it is given, changes none of
 * them, and ends within its {@link Limits}. Immutable; any number of threads may render at once.
 */
public final class Template {
    private static final int SOURCE_CHARS_MAX = 2_000_000;

    private final String source;
    private final List<Statement> statements;

    private Template(String source, List<Statement> statements) {
        this.source = source;
        this.statements = statements;
    }

    /** Compiles a template; throws {@link TemplateException} with the line where it is not one. */
    public static Template compile(String source) {
        if (source.length() > SOURCE_CHARS_MAX) {
            throw TemplateException.syntax(
                    1,
                    "the template has %d characters, at most %d are compiled"
                            .formatted(source.length(), SOURCE_CHARS_MAX));
        }
        return new Template(source, Parser.parse(source));
    }

    public String source() {
        return source;
    }

    /**
     * Renders the template.
     *
     * @param variables JSON-like values: null, Boolean, Number, String, List, Map, and {@link Text} for strings that did not
     *     come from outside
     * @param now what {@code strftime_now} tells
     */
    public Text render(Map<String, ? extends @Nullable Object> variables, Limits limits, Supplier<LocalDateTime> now) {
        var budget = new Budget(limits, System::nanoTime);
        var globals = new Scope(null);
        var renderer = new Renderer(budget, now, globals);
        variables.forEach((name, value) -> globals.set(name, Values.of(value)));
        try {
            return renderer.render(statements, new Scope(globals));
        } catch (StackOverflowError _) {
            throw TemplateException.limit("values are nested too deep");
        }
    }
}
