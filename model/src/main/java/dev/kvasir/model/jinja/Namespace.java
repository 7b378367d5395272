package dev.kvasir.model.jinja;

import java.util.LinkedHashMap;
import java.util.Map;

/** The one thing of which a template may change attributes. */
final class Namespace {
    private final Map<String, Object> attributes = new LinkedHashMap<>();

    Map<String, Object> attributes() {
        return attributes;
    }
}
