package dev.kvasir.model.jinja;

import java.util.LinkedHashMap;
import java.util.Map;

/** Python's {@code dict}, in order of insertion; never changed once a template has it. */
record Dict(Map<Object, Object> entries) {
    Dict() {
        this(new LinkedHashMap<>());
    }
}
