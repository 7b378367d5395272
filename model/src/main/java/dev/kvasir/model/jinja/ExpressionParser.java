package dev.kvasir.model.jinja;

import dev.kvasir.model.jinja.Expression.Attribute;
import dev.kvasir.model.jinja.Expression.Binary;
import dev.kvasir.model.jinja.Expression.Call;
import dev.kvasir.model.jinja.Expression.Compare;
import dev.kvasir.model.jinja.Expression.Concat;
import dev.kvasir.model.jinja.Expression.Conditional;
import dev.kvasir.model.jinja.Expression.Constant;
import dev.kvasir.model.jinja.Expression.DictOf;
import dev.kvasir.model.jinja.Expression.Filtered;
import dev.kvasir.model.jinja.Expression.Item;
import dev.kvasir.model.jinja.Expression.ListOf;
import dev.kvasir.model.jinja.Expression.Name;
import dev.kvasir.model.jinja.Expression.Slice;
import dev.kvasir.model.jinja.Expression.Tested;
import dev.kvasir.model.jinja.Expression.TupleOf;
import dev.kvasir.model.jinja.Expression.Unary;
import dev.kvasir.model.jinja.Token.Kind;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Parses expressions with Jinja's precedence: {@code **} binds tightest, then unary, {@code * / // %}, {@code ~}, {@code + -}. */
final class ExpressionParser {
    private static final int NESTING_MAX = 150;
    private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");

    private final Tokens tokens;
    private Set<String> used = new HashSet<>();
    private int nesting;

    ExpressionParser(Tokens tokens) {
        this.tokens = tokens;
    }

    /** Begins to collect the names that are used; returns those collected so far, for {@link #endUses}. */
    Set<String> beginUses() {
        Set<String> outer = used;
        used = new HashSet<>();
        return outer;
    }

    Set<String> endUses(Set<String> outer) {
        Set<String> inner = used;
        used = outer;
        used.addAll(inner);
        return inner;
    }

    /** An expression; in brackets-free tuples of {@code for} and {@code if} an inline condition is not allowed. */
    Expression expression(boolean conditional) {
        if (++nesting > NESTING_MAX) {
            throw TemplateException.syntax(
                    tokens.line(), "an expression is nested deeper than %d".formatted(NESTING_MAX));
        }
        var expression = conditional ? conditional() : or();
        nesting--;
        return expression;
    }

    Expression expression() {
        return expression(true);
    }

    /** An expression, or a tuple where commas follow. */
    Expression tuple(boolean conditional) {
        int line = tokens.line();
        var first = expression(conditional);
        if (!tokens.current().isOperator(",")) {
            return first;
        }
        var items = new ArrayList<Expression>();
        items.add(first);
        while (tokens.skipOperator(",") && !endsTuple()) {
            items.add(expression(conditional));
        }
        return new TupleOf(items, line);
    }

    private boolean endsTuple() {
        Token token = tokens.current();
        return token.is(Kind.VARIABLE_END) || token.is(Kind.BLOCK_END) || token.isOperator(")");
    }

    private Expression conditional() {
        var value = or();
        while (tokens.current().isName("if")) {
            int line = tokens.next().line();
            var test = or();
            Expression otherwise = tokens.skipName("else") ? expression() : null;
            value = new Conditional(test, value, otherwise, line);
        }
        return value;
    }

    private Expression or() {
        var left = and();
        while (tokens.current().isName("or")) {
            int line = tokens.next().line();
            left = new Binary("or", left, and(), line);
        }
        return left;
    }

    private Expression and() {
        var left = not();
        while (tokens.current().isName("and")) {
            int line = tokens.next().line();
            left = new Binary("and", left, not(), line);
        }
        return left;
    }

    private Expression not() {
        if (!tokens.current().isName("not")) {
            return compare();
        }
        int line = tokens.next().line();
        return new Unary("not", nested(this::not), line);
    }

    private Expression compare() {
        int line = tokens.line();
        var first = sum();
        var operators = new ArrayList<String>();
        var operands = new ArrayList<Expression>();
        while (true) {
            if (tokens.current().is(Kind.OPERATOR)
                    && COMPARISONS.contains(tokens.current().text())) {
                operators.add(tokens.next().text());
            } else if (tokens.skipName("in")) {
                operators.add("in");
            } else if (tokens.current().isName("not") && tokens.ahead().isName("in")) {
                tokens.next();
                tokens.next();
                operators.add("not in");
            } else {
                return operators.isEmpty() ? first : new Compare(first, operators, operands, line);
            }
            operands.add(sum());
        }
    }

    private Expression sum() {
        var left = concat();
        while (tokens.current().isOperator("+") || tokens.current().isOperator("-")) {
            Token operator = tokens.next();
            left = new Binary(operator.text(), left, concat(), operator.line());
        }
        return left;
    }

    private Expression concat() {
        int line = tokens.line();
        var first = product();
        if (!tokens.current().isOperator("~")) {
            return first;
        }
        var parts = new ArrayList<Expression>();
        parts.add(first);
        while (tokens.skipOperator("~")) {
            parts.add(product());
        }
        return new Concat(parts, line);
    }

    private Expression product() {
        var left = power();
        while (tokens.current().is(Kind.OPERATOR)
                && Set.of("*", "/", "//", "%").contains(tokens.current().text())) {
            Token operator = tokens.next();
            left = new Binary(operator.text(), left, power(), operator.line());
        }
        return left;
    }

    private Expression power() {
        var left = unary(true);
        while (tokens.current().isOperator("**")) {
            int line = tokens.next().line();
            left = new Binary("**", left, unary(true), line);
        }
        return left;
    }

    private Expression unary(boolean filtered) {
        Token token = tokens.current();
        Expression value;
        if (token.isOperator("-") || token.isOperator("+")) {
            tokens.next();
            value = new Unary(token.text(), nested(() -> unary(false)), token.line());
        } else {
            value = primary();
        }
        value = postfix(value);
        return filtered ? filters(value) : value;
    }

    private Expression nested(java.util.function.Supplier<Expression> parse) {
        if (++nesting > NESTING_MAX) {
            throw TemplateException.syntax(
                    tokens.line(), "an expression is nested deeper than %d".formatted(NESTING_MAX));
        }
        var expression = parse.get();
        nesting--;
        return expression;
    }

    private Expression primary() {
        Token token = tokens.current();
        int line = token.line();
        return switch (token.kind()) {
            case NAME -> {
                tokens.next();
                yield named(token);
            }
            case STRING -> {
                var text = new StringBuilder();
                while (tokens.current().is(Kind.STRING)) {
                    text.append(tokens.next().text());
                }
                yield new Constant(Text.own(text.toString()), line);
            }
            case INTEGER -> {
                tokens.next();
                yield new Constant(integer(token.text()), line);
            }
            case FLOAT -> {
                tokens.next();
                yield new Constant(Double.parseDouble(token.text()), line);
            }
            default -> {
                if (tokens.skipOperator("(")) {
                    yield parenthesized(line);
                }
                if (tokens.skipOperator("[")) {
                    yield new ListOf(items("]"), line);
                }
                if (tokens.skipOperator("{")) {
                    yield dict(line);
                }
                throw tokens.unexpected("an expression");
            }
        };
    }

    private Expression named(Token token) {
        return switch (token.text()) {
            case "true", "True" -> new Constant(true, token.line());
            case "false", "False" -> new Constant(false, token.line());
            case "none", "None" -> new Constant(None.NONE, token.line());
            default -> {
                used.add(token.text());
                yield new Name(token.text(), token.line());
            }
        };
    }

    private static Object integer(String written) {
        int radix = 10;
        if (written.length() > 2 && written.charAt(0) == '0' && Character.isLetter(written.charAt(1))) {
            radix = switch (Character.toLowerCase(written.charAt(1))) {
                case 'b' -> 2;
                case 'o' -> 8;
                default -> 16;
            };
        }
        return Values.integer(new BigInteger(radix == 10 ? written : written.substring(2), radix));
    }

    private Expression parenthesized(int line) {
        if (tokens.skipOperator(")")) {
            return new TupleOf(List.of(), line);
        }
        var value = tuple(true);
        tokens.expectOperator(")");
        return value;
    }

    private List<Expression> items(String end) {
        var items = new ArrayList<Expression>();
        while (!tokens.skipOperator(end)) {
            if (!items.isEmpty()) {
                tokens.expectOperator(",");
                if (tokens.skipOperator(end)) {
                    break;
                }
            }
            items.add(expression());
        }
        return items;
    }

    private Expression dict(int line) {
        var keys = new ArrayList<Expression>();
        var values = new ArrayList<Expression>();
        while (!tokens.skipOperator("}")) {
            if (!keys.isEmpty()) {
                tokens.expectOperator(",");
                if (tokens.skipOperator("}")) {
                    break;
                }
            }
            keys.add(expression());
            tokens.expectOperator(":");
            values.add(expression());
        }
        return new DictOf(keys, values, line);
    }

    private Expression postfix(Expression start) {
        var value = start;
        while (true) {
            int line = tokens.line();
            if (tokens.skipOperator(".")) {
                value = dotted(value, line);
            } else if (tokens.skipOperator("[")) {
                value = subscript(value, line);
            } else if (tokens.current().isOperator("(")) {
                value = new Call(value, arguments(), line);
            } else {
                return value;
            }
        }
    }

    private Expression dotted(Expression of, int line) {
        Token token = tokens.next();
        return switch (token.kind()) {
            case NAME -> new Attribute(of, token.text(), line);
            case INTEGER -> new Item(of, new Constant(integer(token.text()), line), line);
            default -> throw TemplateException.syntax(line, token.shown() + " where a name or an integer is expected");
        };
    }

    private Expression subscript(Expression of, int line) {
        Expression start = tokens.current().isOperator(":") ? null : expression();
        if (start != null && tokens.current().isOperator(",")) {
            var keys = new ArrayList<Expression>();
            keys.add(start);
            while (tokens.skipOperator(",")) {
                keys.add(expression());
            }
            tokens.expectOperator("]");
            return new Item(of, new TupleOf(keys, line), line);
        }
        if (start != null && tokens.skipOperator("]")) {
            return new Item(of, start, line);
        }
        tokens.expectOperator(":");
        Expression stop = slicePart();
        Expression step = tokens.skipOperator(":") ? slicePart() : null;
        tokens.expectOperator("]");
        return new Slice(of, start, stop, step, line);
    }

    private @Nullable Expression slicePart() {
        return tokens.current().isOperator("]") || tokens.current().isOperator(":") ? null : expression();
    }

    private Expression filters(Expression start) {
        var value = start;
        while (true) {
            int line = tokens.line();
            if (tokens.current().isOperator("|")) {
                value = filter(value);
            } else if (tokens.skipName("is")) {
                value = test(value, line);
            } else if (tokens.current().isOperator("(")) {
                value = new Call(value, arguments(), line);
            } else {
                return value;
            }
        }
    }

    /** {@code | name(arguments)}, at the bar. */
    Filtered filter(@Nullable Expression input) {
        int line = tokens.line();
        tokens.expectOperator("|");
        return filterName(input, line);
    }

    /** A chain of filters that begins with a name, or after it; as in {@code {% filter a | b %}}. */
    Filtered filterChain() {
        var chain = filterName(null, tokens.line());
        while (tokens.current().isOperator("|")) {
            chain = filter(chain);
        }
        return chain;
    }

    private Filtered filterName(@Nullable Expression input, int line) {
        String name = dottedName();
        if (!Filters.exists(name)) {
            throw TemplateException.syntax(line, "no filter named '%s'".formatted(name));
        }
        var given = tokens.current().isOperator("(") ? arguments() : Call.Given.NOTHING;
        return new Filtered(input, name, given, line);
    }

    private String dottedName() {
        var name = new StringBuilder(tokens.expectName());
        while (tokens.skipOperator(".")) {
            name.append('.').append(tokens.expectName());
        }
        return name.toString();
    }

    private Expression test(Expression input, int line) {
        boolean negated = tokens.skipName("not");
        String name = dottedName();
        if (!Tests.exists(name)) {
            throw TemplateException.syntax(line, "no test named '%s'".formatted(name));
        }
        var given = Call.Given.NOTHING;
        if (tokens.current().isOperator("(")) {
            given = arguments();
        } else if (beginsOperand(tokens.current())) {
            if (tokens.current().isName("is")) {
                throw TemplateException.syntax(line, "tests cannot be chained with 'is'");
            }
            given = new Call.Given(List.of(postfix(primary())), List.of(), List.of(), null, null);
        }
        var test = new Tested(input, name, given, line);
        return negated ? new Unary("not", test, line) : test;
    }

    private static boolean beginsOperand(Token token) {
        return switch (token.kind()) {
            case NAME -> !token.isName("else") && !token.isName("or") && !token.isName("and");
            case STRING, INTEGER, FLOAT -> true;
            case OPERATOR -> token.isOperator("(") || token.isOperator("[") || token.isOperator("{");
            default -> false;
        };
    }

    /** Arguments in parentheses. */
    Call.Given arguments() {
        tokens.expectOperator("(");
        var positional = new ArrayList<Expression>();
        var names = new ArrayList<String>();
        var named = new ArrayList<Expression>();
        Expression star = null;
        Expression doubleStar = null;
        for (boolean first = true; !tokens.skipOperator(")"); first = false) {
            if (!first) {
                tokens.expectOperator(",");
                if (tokens.skipOperator(")")) {
                    break;
                }
            }
            if (tokens.skipOperator("*")) {
                star = expression();
            } else if (tokens.skipOperator("**")) {
                doubleStar = expression();
            } else if (tokens.current().is(Kind.NAME) && tokens.ahead().isOperator("=")) {
                names.add(tokens.next().text());
                tokens.next();
                named.add(expression());
            } else if (!names.isEmpty()) {
                throw TemplateException.syntax(tokens.line(), "a positional argument follows a named one");
            } else {
                positional.add(expression());
            }
        }
        return new Call.Given(positional, names, named, star, doubleStar);
    }
}
