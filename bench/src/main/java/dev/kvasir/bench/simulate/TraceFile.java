package dev.kvasir.bench.simulate;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.kvasir.bench.BenchException;
import dev.kvasir.bench.simulate.Trace.Request;
import dev.kvasir.kvstore.hash.BlockHash;
import dev.kvasir.kvstore.hash.HashChain;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads traces in the format of the Mooncake project: one JSON object per line with {@code timestamp} in milliseconds,
 * {@code input_length}, {@code output_length} and {@code hash_ids}. Each id names a block and all blocks before it, so it
 * must follow the same block wherever it appears.
 */
final class TraceFile {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final long NO_PARENT = -1;

    private final Path file;
    private final int blockSize;
    private final Trace.Names names = new Trace.Names();
    private final Map<Long, Long> parents = new HashMap<>();
    private int lineNumber;
    private double lastArrival;

    private TraceFile(Path file, int blockSize) {
        this.file = file;
        this.blockSize = blockSize;
    }

    static Trace read(Path file, int blockSize) {
        var reader = new TraceFile(file, blockSize);
        var requests = new ArrayList<Request>();
        try (var lines = Files.lines(file)) {
            lines.forEach(line -> {
                reader.lineNumber++;
                if (!line.isBlank()) {
                    requests.add(reader.request(line));
                }
            });
        } catch (IOException e) {
            throw new BenchException("cannot read the trace " + file + ": " + e.getMessage(), e);
        }
        if (requests.isEmpty()) {
            throw new BenchException("the trace " + file + " has no requests");
        }
        return new Trace(file.getFileName().toString(), blockSize, requests);
    }

    private Request request(String line) {
        JsonNode node;
        try {
            node = JSON.readTree(line);
        } catch (JsonProcessingException e) {
            throw wrong("is not JSON: " + e.getOriginalMessage(), e);
        }
        double arrival = number(node, "timestamp", Long.MAX_VALUE) / 1000.0;
        if (arrival < lastArrival) {
            throw wrong("has a timestamp before that of the line before", null);
        }
        lastArrival = arrival;
        int prompt = (int) number(node, "input_length", 1 << 30);
        int output = (int) number(node, "output_length", 1 << 30);
        if (prompt == 0) {
            throw wrong("has an input_length of 0", null);
        }
        return new Request(arrival, prompt, Math.max(1, output), HashChain.of(hashes(node, prompt)));
    }

    private List<BlockHash> hashes(JsonNode node, int promptTokens) {
        var ids = node.path("hash_ids");
        int blocks = (promptTokens + blockSize - 1) / blockSize;
        if (!ids.isArray() || ids.size() != blocks) {
            throw wrong(
                    "has %d hash_ids, but %d tokens are %d blocks of %d"
                            .formatted(ids.size(), promptTokens, blocks, blockSize),
                    null);
        }
        var hashes = new ArrayList<BlockHash>(blocks);
        long parent = NO_PARENT;
        for (var id : ids) {
            if (!id.canConvertToLong() || id.asLong() < 0) {
                throw wrong("has hash id " + id + " but must have whole numbers from 0", null);
            }
            var other = parents.putIfAbsent(id.asLong(), parent);
            if (other != null && other != parent) {
                throw wrong(
                        "has hash id %d after %d, but it came after %d before".formatted(id.asLong(), parent, other),
                        null);
            }
            parent = id.asLong();
            hashes.add(names.of(parent));
        }
        return hashes;
    }

    private long number(JsonNode node, String field, long max) {
        var value = node.path(field);
        if (!value.canConvertToLong() || value.asLong() < 0 || value.asLong() > max) {
            throw wrong("has %s %s but must have a number in 0..%d".formatted(field, value, max), null);
        }
        return value.asLong();
    }

    private BenchException wrong(String what, @Nullable Throwable cause) {
        var message = "line %d of the trace %s %s".formatted(lineNumber, file, what);
        return cause == null ? new BenchException(message) : new BenchException(message, cause);
    }
}
