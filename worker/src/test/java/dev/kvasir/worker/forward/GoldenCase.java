package dev.kvasir.worker.forward;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A tiny model and what the reference computes for it, made by {@code make_golden.py}. */
record GoldenCase(Path folder, int servedLength, List<Expected> runs) {

    /** Log probabilities of prompt tokens but the first; greedy tokens and their log probabilities. */
    record Expected(
            List<Integer> prompt, List<Double> promptLogprobs, List<Integer> greedy, List<Double> greedyLogprobs) {}

    String name() {
        return folder.getFileName().toString();
    }

    static List<GoldenCase> all() {
        try (var folders =
                Files.list(Path.of(GoldenCase.class.getResource("/golden").toURI()))) {
            return folders.sorted().map(GoldenCase::read).toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    private static GoldenCase read(Path folder) {
        try {
            var json =
                    new ObjectMapper().readTree(folder.resolve("expected.json").toFile());
            var runs = new ArrayList<Expected>();
            for (var run : json.get("runs")) {
                runs.add(new Expected(
                        integers(run.get("prompt")),
                        doubles(run.get("promptLogprobs")),
                        integers(run.get("greedy")),
                        doubles(run.get("greedyLogprobs"))));
            }
            return new GoldenCase(folder, json.get("servedLength").intValue(), runs);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<Integer> integers(JsonNode array) {
        var values = new ArrayList<Integer>();
        array.forEach(value -> values.add(value.intValue()));
        return values;
    }

    private static List<Double> doubles(JsonNode array) {
        var values = new ArrayList<Double>();
        array.forEach(value -> values.add(value.doubleValue()));
        return values;
    }
}
