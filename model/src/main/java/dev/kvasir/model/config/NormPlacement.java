package dev.kvasir.model.config;

/** Where a layer's norms stand around attention and feed-forward. */
public enum NormPlacement {
    /** x + f(norm(x)). */
    PRE,
    /** x + norm(f(x)), as OLMo 2. */
    POST,
    /** x + norm(f(norm(x))), as Gemma 2 and 3. */
    SANDWICH;

    public boolean before() {
        return this != POST;
    }

    public boolean after() {
        return this != PRE;
    }
}
