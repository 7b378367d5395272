package dev.kvasir.model.weights;

import dev.kvasir.model.ModelFileException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The safetensors weights of a folder: {@code model.safetensors}, or the shards that
 * {@code model.safetensors.index.json} names. Memory-mapped: pages are read when first touched and shared between
 * processes.
 */
public final class SafetensorsFolder implements WeightSource {
    static final String SINGLE = "model.safetensors";
    static final String INDEX = "model.safetensors.index.json";

    /** A tensor and the shard that holds it. */
    private record Place(SafetensorsFile shard, SafetensorsHeader.Entry entry) {}

    private final Path folder;
    private final Arena arena;
    private final List<SafetensorsFile> shards;
    private final Map<String, Place> places = new LinkedHashMap<>();

    private SafetensorsFolder(Path folder, Arena arena, List<SafetensorsFile> shards) {
        this.folder = folder;
        this.arena = arena;
        this.shards = List.copyOf(shards);
        for (var shard : shards) {
            for (var entry : shard.entries().values()) {
                var other = places.put(entry.name(), new Place(shard, entry));
                if (other != null) {
                    throw new ModelFileException(
                            shard.file(),
                            entry.name(),
                            null,
                            "is also in " + other.shard().file());
                }
            }
        }
    }

    /** Maps and checks the files of a folder. */
    public static SafetensorsFolder open(Path folder) {
        var arena = Arena.ofShared();
        try {
            return open(folder, arena);
        } catch (RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    private static SafetensorsFolder open(Path folder, Arena arena) {
        if (!Files.exists(folder.resolve(INDEX))) {
            return new SafetensorsFolder(folder, arena, List.of(SafetensorsFile.open(folder.resolve(SINGLE), arena)));
        }
        var index = SafetensorsIndex.read(folder.resolve(INDEX));
        var shards = index.shards().stream()
                .map(shard -> SafetensorsFile.open(folder.resolve(shard), arena))
                .toList();
        var opened = new SafetensorsFolder(folder, arena, shards);
        opened.checkAgainst(index);
        return opened;
    }

    private void checkAgainst(SafetensorsIndex index) {
        index.shardOf().forEach((name, shard) -> {
            var place = places.get(name);
            if (place == null || !place.shard().file().equals(folder.resolve(shard))) {
                throw new ModelFileException(index.file(), "weight_map." + name, shard, "the shard has no such tensor");
            }
        });
        for (var place : places.values()) {
            if (!index.shardOf().containsKey(place.entry().name())) {
                throw new ModelFileException(
                        place.shard().file(), place.entry().name(), null, "is not in " + index.file());
            }
        }
    }

    @Override
    public Path origin() {
        return shards.size() == 1 ? shards.getFirst().file() : folder;
    }

    @Override
    public Set<String> names() {
        return Collections.unmodifiableSet(places.keySet());
    }

    @Override
    public Tensor tensor(String name) {
        var place = places.get(name);
        if (place == null) {
            throw new ModelFileException(origin(), name, null, "no such tensor");
        }
        var entry = place.entry();
        var type = entry.type()
                .computable()
                .orElseThrow(() -> new ModelFileException(
                        place.shard().file(),
                        name + ".dtype",
                        entry.type(),
                        "cannot be computed from; F32, F16, BF16 can"));
        return new Tensor(name, type, entry.shape(), aligned(place.shard().data(entry), type.bytes()));
    }

    /** The format does not align tensors, kernels want it: one that lies askew is copied. */
    private MemorySegment aligned(MemorySegment data, int alignment) {
        return data.address() % alignment == 0
                ? data
                : arena.allocate(data.byteSize(), Long.BYTES).copyFrom(data);
    }

    @Override
    public long byteSize() {
        return shards.stream().mapToLong(shard -> shard.data().byteSize()).sum();
    }

    @Override
    public void digestInto(MessageDigest digest) {
        var sampling = ContentDigest.ofTotal(byteSize());
        for (var shard : shards) {
            digest.update(shard.header().asByteBuffer());
            for (var entry : shard.entries().values()) {
                sampling.update(digest, shard.data(entry));
            }
        }
    }

    /**
     * Reads all pages, so that the first requests do not wait for the disk.
     *
     * @param check whether to refuse weights that are not finite
     */
    public void readAll(boolean check, LoadProgress progress) {
        long total = byteSize();
        long done = 0;
        for (var place : places.values()) {
            var data = place.shard().data(place.entry());
            var type = place.entry().type().computable();
            if (check && type.isPresent()) {
                FiniteCheck.require(place.shard().file(), place.entry().name(), type.get(), data);
            } else {
                data.load();
            }
            done += data.byteSize();
            progress.loaded(done, total);
        }
    }

    @Override
    public void close() {
        arena.close();
    }

    /** Whether a folder has weights of this kind. */
    public static boolean present(Path folder) {
        return Files.exists(folder.resolve(INDEX)) || Files.exists(folder.resolve(SINGLE));
    }
}
