package dev.kvasir.model.jinja;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** What writes text or changes variables. */
sealed interface Statement {
    /** Line of the template. */
    int line();

    record Data(Text text, int line) implements Statement {}

    record Print(Expression value, int line) implements Statement {}

    record If(Expression test, List<Statement> then, List<Statement> otherwise, int line) implements Statement {}

    record For(
            Target target,
            Expression items,
            @Nullable Expression filter,
            List<Statement> body,
            List<Statement> otherwise,
            boolean recursive,
            int line)
            implements Statement {}

    record Set(Target target, Expression value, int line) implements Statement {}

    /**
     * Assigns the text of a body.
     *
     * @param filter applied to that text first, or null
     */
    record SetBlock(Target target, Expression.@Nullable Filtered filter, List<Statement> body, int line)
            implements Statement {}

    record Macro(String name, Signature signature, int line) implements Statement {}

    record CallBlock(Expression.Call call, Signature signature, int line) implements Statement {}

    record FilterBlock(Expression.Filtered filter, List<Statement> body, int line) implements Statement {}

    record With(List<Target> targets, List<Expression> values, List<Statement> body, int line) implements Statement {}

    /** Marks what an assistant says; the text is the same. */
    record Generation(List<Statement> body, int line) implements Statement {}

    record Break(int line) implements Statement {}

    record Continue(int line) implements Statement {}

    /**
     * Parameters and body of a macro.
     *
     * @param defaults of the last parameters
     * @param used names that the body uses; {@code varargs}, {@code kwargs} and {@code caller} among them say what it takes
     */
    record Signature(
            List<String> parameters, List<Expression> defaults, List<Statement> body, java.util.Set<String> used) {}

    /** What is assigned to. */
    sealed interface Target {
        record Variable(String name) implements Target {}

        record NamespaceAttribute(String namespace, String attribute) implements Target {}

        record Unpacked(List<Target> targets) implements Target {}
    }
}
