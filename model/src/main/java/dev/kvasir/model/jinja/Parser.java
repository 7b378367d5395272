package dev.kvasir.model.jinja;

import dev.kvasir.model.jinja.Statement.Target;
import dev.kvasir.model.jinja.Token.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Parses a template into statements. */
final class Parser {
    private static final int NESTING_MAX = 100;

    private final Tokens tokens;
    private final ExpressionParser expressions;
    private int nesting;
    private int loops;

    private Parser(Tokens tokens) {
        this.tokens = tokens;
        this.expressions = new ExpressionParser(tokens);
    }

    static List<Statement> parse(String template) {
        var parser = new Parser(new Tokens(Lexer.tokens(template)));
        var statements = parser.until();
        if (!parser.tokens.current().is(Kind.END)) {
            throw parser.tokens.unexpected("the end of the template");
        }
        return statements;
    }

    /** Statements up to a block that begins with one of the names, or up to the end; the name is the current token then. */
    private List<Statement> until(String... ends) {
        if (++nesting > NESTING_MAX) {
            throw TemplateException.syntax(tokens.line(), "blocks are nested deeper than %d".formatted(NESTING_MAX));
        }
        var statements = new ArrayList<Statement>();
        while (!tokens.current().is(Kind.END)) {
            int line = tokens.line();
            Token token = tokens.next();
            switch (token.kind()) {
                case DATA -> statements.add(new Statement.Data(Text.own(token.text()), line));
                case VARIABLE_BEGIN -> {
                    statements.add(new Statement.Print(expressions.tuple(true), line));
                    tokens.expect(Kind.VARIABLE_END, "'}}'");
                }
                default -> {
                    if (tokens.current().is(Kind.NAME)
                            && Set.of(ends).contains(tokens.current().text())) {
                        nesting--;
                        return statements;
                    }
                    statements.add(block(line));
                }
            }
        }
        if (ends.length > 0) {
            throw tokens.unexpected("'" + ends[ends.length - 1] + "'");
        }
        nesting--;
        return statements;
    }

    /** The body of a block, from the end of its opening to the end of its closing. */
    private List<Statement> body(String end) {
        endBlock();
        var body = until(end);
        tokens.next();
        return body;
    }

    private void endBlock() {
        tokens.expect(Kind.BLOCK_END, "'%}'");
    }

    private Statement block(int line) {
        String name = tokens.expectName();
        Statement statement = switch (name) {
            case "if" -> ifBlock(line);
            case "for" -> forBlock(line);
            case "set" -> set(line);
            case "macro" -> macro(line);
            case "call" -> call(line);
            case "filter" -> new Statement.FilterBlock(expressions.filterChain(), body("endfilter"), line);
            case "with" -> with(line);
            case "generation" -> new Statement.Generation(body("endgeneration"), line);
            case "break", "continue" -> leave(name, line);
            case "include", "import", "from", "extends", "block" ->
                throw TemplateException.syntax(
                        line, "'%s' is not available: a chat template stands alone".formatted(name));
            default -> throw TemplateException.syntax(line, "unknown block '%s'".formatted(name));
        };
        endBlock();
        return statement;
    }

    private Statement leave(String name, int line) {
        if (loops == 0) {
            throw TemplateException.syntax(line, "'%s' outside a loop".formatted(name));
        }
        return name.equals("break") ? new Statement.Break(line) : new Statement.Continue(line);
    }

    private Statement ifBlock(int line) {
        var test = expressions.tuple(false);
        endBlock();
        var then = until("elif", "else", "endif");
        int next = tokens.line();
        String name = tokens.next().text();
        List<Statement> otherwise = switch (name) {
            case "elif" -> List.of(nestedIf(next));
            case "else" -> {
                endBlock();
                var statements = until("endif");
                tokens.next();
                yield statements;
            }
            default -> List.of();
        };
        return new Statement.If(test, then, otherwise, line);
    }

    private Statement nestedIf(int line) {
        if (++nesting > NESTING_MAX) {
            throw TemplateException.syntax(line, "an 'if' has more than %d branches".formatted(NESTING_MAX));
        }
        var statement = ifBlock(line);
        nesting--;
        return statement;
    }

    private Statement forBlock(int line) {
        Target target = target();
        tokens.expectName("in");
        var items = expressions.tuple(false);
        Expression filter = tokens.skipName("if") ? expressions.expression() : null;
        boolean recursive = tokens.skipName("recursive");
        endBlock();
        loops++;
        var body = until("else", "endfor");
        loops--;
        List<Statement> otherwise = List.of();
        if (tokens.next().text().equals("else")) {
            endBlock();
            otherwise = until("endfor");
            tokens.next();
        }
        return new Statement.For(target, items, filter, body, otherwise, recursive, line);
    }

    /** Names with commas between, in parentheses or not. */
    private Target target() {
        var targets = new ArrayList<Target>();
        boolean tuple = false;
        do {
            if (!targets.isEmpty()
                    && !tokens.current().is(Kind.NAME)
                    && !tokens.current().isOperator("(")) {
                break;
            }
            targets.add(targetPart());
            tuple |= tokens.current().isOperator(",");
        } while (tokens.skipOperator(","));
        return tuple ? new Target.Unpacked(targets) : targets.getFirst();
    }

    private Target targetPart() {
        if (!tokens.skipOperator("(")) {
            int line = tokens.line();
            return variable(tokens.expectName(), line);
        }
        Target inner = target();
        tokens.expectOperator(")");
        return inner;
    }

    private static Target variable(String name, int line) {
        if (Set.of("true", "false", "none", "True", "False", "None").contains(name)) {
            throw TemplateException.syntax(line, "cannot assign to '%s'".formatted(name));
        }
        return new Target.Variable(name);
    }

    private Statement set(int line) {
        Target target;
        if (tokens.current().is(Kind.NAME) && tokens.ahead().isOperator(".")) {
            String namespace = tokens.expectName();
            tokens.next();
            target = new Target.NamespaceAttribute(namespace, tokens.expectName());
        } else {
            target = target();
        }
        if (tokens.skipOperator("=")) {
            return new Statement.Set(target, expressions.tuple(true), line);
        }
        Expression.Filtered filter = null;
        while (tokens.current().isOperator("|")) {
            filter = expressions.filter(filter);
        }
        return new Statement.SetBlock(target, filter, body("endset"), line);
    }

    private Statement macro(int line) {
        String name = tokens.expectName();
        return new Statement.Macro(name, signature("endmacro", true), line);
    }

    private Statement call(int line) {
        var outer = expressions.beginUses();
        var parameters = new ArrayList<String>();
        var defaults = new ArrayList<Expression>();
        if (tokens.current().isOperator("(")) {
            parameters(parameters, defaults);
        }
        var call = expressions.expression();
        if (!(call instanceof Expression.Call called)) {
            throw TemplateException.syntax(line, "'call' needs a call");
        }
        var body = macroBody("endcall");
        return new Statement.CallBlock(
                called, new Statement.Signature(parameters, defaults, body, expressions.endUses(outer)), line);
    }

    private Statement.Signature signature(String end, boolean required) {
        var outer = expressions.beginUses();
        var parameters = new ArrayList<String>();
        var defaults = new ArrayList<Expression>();
        if (required || tokens.current().isOperator("(")) {
            parameters(parameters, defaults);
        }
        var body = macroBody(end);
        return new Statement.Signature(parameters, defaults, body, expressions.endUses(outer));
    }

    private List<Statement> macroBody(String end) {
        int outer = loops;
        loops = 0;
        var body = body(end);
        loops = outer;
        return body;
    }

    private void parameters(List<String> names, List<Expression> defaults) {
        tokens.expectOperator("(");
        while (!tokens.skipOperator(")")) {
            if (!names.isEmpty()) {
                tokens.expectOperator(",");
            }
            names.add(tokens.expectName());
            if (tokens.skipOperator("=")) {
                defaults.add(expressions.expression());
            } else if (!defaults.isEmpty()) {
                throw TemplateException.syntax(tokens.line(), "a parameter without a default follows one with it");
            }
        }
    }

    private Statement with(int line) {
        var targets = new ArrayList<Target>();
        var values = new ArrayList<Expression>();
        while (!tokens.current().is(Kind.BLOCK_END)) {
            if (!targets.isEmpty()) {
                tokens.expectOperator(",");
            }
            targets.add(targetPart());
            tokens.expectOperator("=");
            values.add(expressions.expression());
        }
        return new Statement.With(targets, values, body("endwith"), line);
    }
}
