package dev.kvasir.model.jinja;

/**
 * What a name or attribute is that does not exist: empty, false and without elements; any other use is an error.
 *
 * @param reason said in that error
 */
record Undefined(String reason) {
    static Undefined name(String name) {
        return new Undefined("'" + name + "' is undefined");
    }

    static Undefined attribute(Object of, String name) {
        return new Undefined("'%s' has no attribute '%s'".formatted(Values.typeName(of), name));
    }

    TemplateException error() {
        return TemplateException.value(reason);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Undefined;
    }

    @Override
    public int hashCode() {
        return 0;
    }
}
