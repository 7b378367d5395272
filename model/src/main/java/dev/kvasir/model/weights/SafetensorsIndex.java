package dev.kvasir.model.weights;

import dev.kvasir.model.ModelFileException;
import dev.kvasir.model.config.ConfigJson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * The file that says which shard holds which tensor. Shards are plain file names of the same folder: nothing outside it is
 * opened.
 */
record SafetensorsIndex(Path file, Map<String, String> shardOf) {

    /** Shards, each once, in name order. */
    List<String> shards() {
        return shardOf.values().stream().distinct().sorted().toList();
    }

    static SafetensorsIndex read(Path file) {
        var json = ConfigJson.read(file);
        var map = json.object("weight_map").orElseThrow(() -> json.refuse("weight_map", "is missing"));
        var shardOf = new LinkedHashMap<String, String>();
        var checked = new HashSet<String>();
        for (var name : map.keys()) {
            var shard = map.text(name).orElseThrow(() -> map.refuse(name, "must be a string"));
            if (checked.add(shard)) {
                checkShard(file, map, name, shard);
            }
            shardOf.put(name, shard);
        }
        return new SafetensorsIndex(file, shardOf);
    }

    private static void checkShard(Path index, ConfigJson map, String name, String shard) {
        boolean plain = !shard.isBlank()
                && shard.chars().noneMatch(c -> c == '/' || c == '\\' || c == ':' || Character.isISOControl(c))
                && !shard.equals("..")
                && !shard.equals(".");
        if (!plain) {
            throw map.refuse(name, "must be the plain name of a file in the same folder");
        }
        var file = index.resolveSibling(shard);
        if (!Files.isRegularFile(file)) {
            throw map.refuse(name, "no such file");
        }
        try {
            // Download caches hold links to files kept together elsewhere: the index and its shards must go together.
            if (!Objects.equals(
                    file.toRealPath().getParent(), index.toRealPath().getParent())) {
                throw map.refuse(name, "is a link out of the folder");
            }
        } catch (IOException e) {
            throw new ModelFileException(file, "", null, "cannot be read: " + e.getMessage());
        }
    }
}
