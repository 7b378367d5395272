package dev.kvasir.model.jinja;

/** A macro, or the body of a call block, with the variables around its definition. */
record Macro(String name, Statement.Signature signature, Scope around, Renderer renderer) implements Function {
    @Override
    public Object call(Arguments arguments) {
        return renderer.call(this, arguments);
    }

    @Override
    public boolean equals(Object other) {
        return this == other;
    }

    @Override
    public int hashCode() {
        return System.identityHashCode(this);
    }
}
