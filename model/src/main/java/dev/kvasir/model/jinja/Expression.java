package dev.kvasir.model.jinja;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** What has a value. */
sealed interface Expression {
    /** Line of the template. */
    int line();

    record Constant(Object value, int line) implements Expression {}

    record Name(String name, int line) implements Expression {}

    record ListOf(List<Expression> items, int line) implements Expression {}

    record TupleOf(List<Expression> items, int line) implements Expression {}

    record DictOf(List<Expression> keys, List<Expression> values, int line) implements Expression {}

    record Unary(String operator, Expression operand, int line) implements Expression {}

    record Binary(String operator, Expression left, Expression right, int line) implements Expression {}

    /** {@code first op operand op operand ...}, each pair compared. */
    record Compare(Expression first, List<String> operators, List<Expression> operands, int line)
            implements Expression {}

    record Concat(List<Expression> parts, int line) implements Expression {}

    record Conditional(
            Expression test, Expression then, @Nullable Expression otherwise, int line) implements Expression {}

    record Attribute(Expression of, String name, int line) implements Expression {}

    record Item(Expression of, Expression key, int line) implements Expression {}

    record Slice(
            Expression of,
            @Nullable Expression start,
            @Nullable Expression stop,
            @Nullable Expression step,
            int line) implements Expression {}

    /** A filter; without input it is applied to the text of its block. */
    record Filtered(@Nullable Expression input, String name, Call.Given given, int line) implements Expression {}

    record Tested(Expression input, String name, Call.Given given, int line) implements Expression {}

    record Call(Expression callee, Given given, int line) implements Expression {
        /** Arguments as written. */
        record Given(
                List<Expression> positional,
                List<String> names,
                List<Expression> named,
                @Nullable Expression star,
                @Nullable Expression doubleStar) {
            static final Given NOTHING = new Given(List.of(), List.of(), List.of(), null, null);

            boolean isNothing() {
                return positional.isEmpty() && named.isEmpty() && star == null && doubleStar == null;
            }
        }
    }
}
