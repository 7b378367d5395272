package dev.kvasir.model.jinja;

import dev.kvasir.model.jinja.Token.Kind;
import java.util.List;

/** A place in the tokens of a template. */
final class Tokens {
    private final List<Token> tokens;
    private int at;

    Tokens(List<Token> tokens) {
        this.tokens = tokens;
    }

    Token current() {
        return tokens.get(at);
    }

    /** The token after the current one; the last has none after it but itself. */
    Token ahead() {
        return tokens.get(Math.min(at + 1, tokens.size() - 1));
    }

    int line() {
        return current().line();
    }

    Token next() {
        Token token = current();
        if (!token.is(Kind.END)) {
            at++;
        }
        return token;
    }

    boolean skipName(String name) {
        boolean found = current().isName(name);
        if (found) {
            next();
        }
        return found;
    }

    boolean skipOperator(String operator) {
        boolean found = current().isOperator(operator);
        if (found) {
            next();
        }
        return found;
    }

    void expectOperator(String operator) {
        if (!skipOperator(operator)) {
            throw unexpected("'" + operator + "'");
        }
    }

    void expectName(String name) {
        if (!skipName(name)) {
            throw unexpected("'" + name + "'");
        }
    }

    String expectName() {
        return expect(Kind.NAME, "a name").text();
    }

    Token expect(Kind kind, String what) {
        if (!current().is(kind)) {
            throw unexpected(what);
        }
        return next();
    }

    TemplateException unexpected(String wanted) {
        return TemplateException.syntax(
                line(), "%s where %s is expected".formatted(current().shown(), wanted));
    }
}
