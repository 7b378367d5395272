package dev.kvasir.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import dev.kvasir.protocol.WorkerProtocol.Again;
import dev.kvasir.protocol.WorkerProtocol.Alive;
import dev.kvasir.protocol.WorkerProtocol.Cancel;
import dev.kvasir.protocol.WorkerProtocol.Claim;
import dev.kvasir.protocol.WorkerProtocol.Describe;
import dev.kvasir.protocol.WorkerProtocol.Description;
import dev.kvasir.protocol.WorkerProtocol.Drain;
import dev.kvasir.protocol.WorkerProtocol.Find;
import dev.kvasir.protocol.WorkerProtocol.Found;
import dev.kvasir.protocol.WorkerProtocol.Generate;
import dev.kvasir.protocol.WorkerProtocol.Knowledge;
import dev.kvasir.protocol.WorkerProtocol.LoadReport;
import dev.kvasir.protocol.WorkerProtocol.Renew;
import dev.kvasir.protocol.WorkerProtocol.Running;
import dev.kvasir.protocol.WorkerProtocol.Subscribe;
import java.io.NotSerializableException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.random.RandomGenerator;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.javadsl.Adapter;
import org.apache.pekko.serialization.Serialization;
import org.apache.pekko.serialization.SerializationExtension;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

/** Random messages of every kind, and random bytes; a failure names its seed and {@code -Dseed=} runs it alone. */
class WireSerializerProperties {
    private static final ActorTestKit KIT = ActorTestKit.create();
    private static final Serialization SERIALIZATION = SerializationExtension.get(Adapter.toClassic(KIT.system()));

    private static final Map<Class<? extends WireMessage>, Function<RandomGenerator, WireMessage>> MESSAGES =
            Map.ofEntries(
                    Map.entry(
                            Generate.class,
                            r -> new Generate(
                                    request(r),
                                    continuation(r),
                                    bytes(r),
                                    text(r, 60),
                                    r.nextLong(Long.MAX_VALUE),
                                    probe(),
                                    sources(r))),
                    Map.entry(Cancel.class, r -> new Cancel(id(r), attempt(r), optional(r, SamplingParameters.N_MAX))),
                    Map.entry(
                            Again.class,
                            r -> new Again(
                                    id(r),
                                    attempt(r),
                                    r.ints(r.nextInt(17), 0, 1000).boxed().toList(),
                                    r.nextBoolean(),
                                    probe())),
                    Map.entry(Find.class, r -> new Find(id(r), probe())),
                    Map.entry(
                            Claim.class,
                            r -> new Claim(id(r), attempt(r), text(r, 60), r.nextLong(Long.MAX_VALUE), probe())),
                    Map.entry(Renew.class, r -> new Renew(text(r, 60), attempt(r), r.nextBoolean(), probe())),
                    Map.entry(Describe.class, _ -> new Describe(probe())),
                    Map.entry(Subscribe.class, _ -> new Subscribe(probe())),
                    Map.entry(Drain.class, r -> new Drain(r.nextLong(Long.MAX_VALUE))),
                    Map.entry(Description.class, WireSerializerProperties::description),
                    Map.entry(LoadReport.class, WireSerializerProperties::report),
                    Map.entry(
                            Found.class,
                            r -> new Found(
                                    r.nextLong(),
                                    r.nextBoolean()
                                            ? Optional.empty()
                                            : Optional.of(
                                                    new Knowledge(attempt(r), request(r), bytes(r), r.nextBoolean())))),
                    Map.entry(
                            Alive.class,
                            r -> new Alive(
                                    r.nextLong(),
                                    attempt(r),
                                    attempt(r),
                                    r.nextBoolean(),
                                    r.nextBoolean(),
                                    Stream.generate(() -> new Running(id(r), attempt(r)))
                                            .limit(r.nextInt(5))
                                            .toList())),
                    Map.entry(Delivery.Unknown.class, r -> new Delivery.Unknown(id(r), attempt(r))),
                    Map.entry(Delivery.Superseded.class, r -> new Delivery.Superseded(id(r), attempt(r))),
                    Map.entry(Delivery.Event.class, r -> new Delivery.Event(attempt(r), event(r))),
                    Map.entry(
                            PrefixCacheProtocol.Publish.class,
                            r -> new PrefixCacheProtocol.Publish(holder(r), count(r), changes(r), probe())),
                    Map.entry(
                            PrefixCacheProtocol.Contents.class,
                            r -> new PrefixCacheProtocol.Contents(
                                    holder(r), count(r), r.nextInt(3), r.nextInt(3, 9), changes(r), probe())),
                    Map.entry(
                            PrefixCacheProtocol.Renew.class,
                            r -> new PrefixCacheProtocol.Renew(holder(r), count(r), probe())),
                    Map.entry(PrefixCacheProtocol.Introduce.class, _ -> new PrefixCacheProtocol.Introduce(probe())),
                    Map.entry(PrefixCacheProtocol.Introduced.class, r -> new PrefixCacheProtocol.Introduced(holder(r))),
                    Map.entry(PrefixCacheProtocol.Leave.class, r -> new PrefixCacheProtocol.Leave(holder(r))),
                    Map.entry(
                            PrefixCacheProtocol.Follow.class,
                            r -> new PrefixCacheProtocol.Follow(r.nextLong(), positions(r), probe())),
                    Map.entry(
                            PrefixCacheProtocol.SendContents.class,
                            r -> new PrefixCacheProtocol.SendContents(text(r, 40), r.nextLong())),
                    Map.entry(
                            PrefixCacheProtocol.Fenced.class,
                            r -> new PrefixCacheProtocol.Fenced(text(r, 40), r.nextLong())),
                    Map.entry(
                            PrefixCacheProtocol.IndexContents.class,
                            r -> new PrefixCacheProtocol.IndexContents(
                                    text(r, 40), r.nextLong(), position(r), r.nextInt(3), r.nextInt(3, 9), changes(r))),
                    Map.entry(
                            PrefixCacheProtocol.IndexChanges.class,
                            r -> new PrefixCacheProtocol.IndexChanges(
                                    text(r, 40), r.nextLong(), position(r), changes(r))),
                    Map.entry(
                            PrefixCacheProtocol.IndexGone.class,
                            r -> new PrefixCacheProtocol.IndexGone(text(r, 40), r.nextLong(), holder(r))),
                    Map.entry(
                            PrefixCacheProtocol.IndexCurrent.class,
                            r -> new PrefixCacheProtocol.IndexCurrent(text(r, 40), r.nextLong(), positions(r))));

    @AfterAll
    static void stop() {
        KIT.shutdownTestKit();
    }

    @Test
    void everyMessageIsCovered() {
        var wire = Stream.of(
                        WorkerProtocol.Command.class,
                        Delivery.class,
                        PrefixCacheProtocol.Command.class,
                        PrefixCacheProtocol.HolderReply.class,
                        PrefixCacheProtocol.Update.class,
                        PrefixCacheProtocol.StoreCommand.class)
                .flatMap(type -> Arrays.stream(Objects.requireNonNull(type.getPermittedSubclasses())));
        var records = Stream.of(WorkerProtocol.class.getDeclaredClasses())
                .filter(type -> type.isRecord() && WireMessage.class.isAssignableFrom(type));
        assertThat(MESSAGES.keySet())
                .containsAll(Stream.concat(wire, records).toList().stream()
                        .<Class<? extends WireMessage>>map(type -> type.asSubclass(WireMessage.class))
                        .toList());
    }

    @Test
    void everyMessageSurvivesTheWire() {
        MESSAGES.forEach((type, make) -> seeds(100).forEach(seed -> {
            var message = make.apply(new Random(seed));
            var wire = serializerOf(type);
            assertThat(readBack(wire, wire.toBinary(message), wire.manifest(message)))
                    .as("%s, seed %d", type.getSimpleName(), seed)
                    .usingRecursiveComparison()
                    .withComparatorForType(Float::compare, Float.class)
                    .isEqualTo(message);
        }));
    }

    @Test
    void damagedBytesAreReadOrRefusedClearly() {
        MESSAGES.forEach((type, make) -> seeds(300).forEach(seed -> {
            var random = new Random(seed);
            var wire = serializerOf(type);
            var message = make.apply(random);
            var bytes = damage(wire.toBinary(message), random);
            try {
                var read = wire.fromBinary(bytes, wire.manifest(message));
                assertThat(read)
                        .as("%s, seed %d", type.getSimpleName(), seed)
                        .isInstanceOf(Delivery.class.isAssignableFrom(type) ? Delivery.class : type);
                wire.toBinary(read);
            } catch (NotSerializableException e) {
                assertThat(e).as("%s, seed %d", type.getSimpleName(), seed).hasMessageContaining("bytes are no valid");
            }
        }));
    }

    @Test
    void anUnknownMessageIsRefusedByName() {
        var wire = serializerOf(Drain.class);
        assertThatThrownBy(() -> wire.fromBinary(new byte[3], "Shutdown\n" + "x".repeat(100)))
                .isInstanceOf(NotSerializableException.class)
                .hasMessageStartingWith("3 bytes are no valid Shutdown\uFFFDxxx")
                .hasMessageContaining("no such message");
        assertThatThrownBy(() -> wire.toBinary("text"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("java.lang.String");
    }

    @Test
    void javaSerialisationIsOff() {
        assertThatThrownBy(() -> SERIALIZATION
                        .findSerializerFor(new ArrayList<>(List.of("x")))
                        .toBinary("x"))
                .hasMessageContaining("`pekko.actor.allow-java-serialization` was disabled");
    }

    @Test
    void aLongFailureIsCutRatherThanLost() throws NotSerializableException {
        var wire = serializerOf(Delivery.Event.class);
        var failed = new Delivery.Event(
                1, new StreamEvent.Failed(new RequestId("a"), FailureKind.INTERNAL, "😀".repeat(5000), 0));
        var read = (Delivery.Event) wire.fromBinary(wire.toBinary(failed), wire.manifest(failed));
        assertThat(((StreamEvent.Failed) read.event()).message())
                .hasSizeBetween(4000, 4096)
                .endsWith("😀…");
    }

    private static WireSerializer serializerOf(Class<?> type) {
        try {
            var serializer = SERIALIZATION.serializerFor(type);
            assertThat(serializer).isInstanceOf(WireSerializer.class);
            return (WireSerializer) serializer;
        } catch (NotSerializableException e) {
            throw new AssertionError(e);
        }
    }

    private static WireMessage readBack(WireSerializer wire, byte[] bytes, String manifest) {
        try {
            return wire.fromBinary(bytes, manifest);
        } catch (NotSerializableException e) {
            throw new AssertionError(e);
        }
    }

    private static byte[] damage(byte[] bytes, RandomGenerator random) {
        if (random.nextInt(4) == 0) {
            var noise = new byte[random.nextInt(200)];
            random.nextBytes(noise);
            return noise;
        }
        var damaged = Arrays.copyOf(bytes, random.nextInt(bytes.length + 1));
        for (int i = random.nextInt(4); i > 0 && damaged.length > 0; i--) {
            damaged[random.nextInt(damaged.length)] = (byte) random.nextInt();
        }
        return damaged;
    }

    private static <T> ActorRef<T> probe() {
        return KIT.<T>createTestProbe().ref();
    }

    private static long attempt(RandomGenerator random) {
        return random.nextLong(Long.MAX_VALUE);
    }

    private static ByteString bytes(RandomGenerator random) {
        var bytes = new byte[random.nextInt(200)];
        random.nextBytes(bytes);
        return ByteString.copyFrom(bytes);
    }

    private static Continuation continuation(RandomGenerator random) {
        var outputs = Stream.generate(() -> new Continuation.Known(
                        random.ints(random.nextInt(40), 0, 200_000).toArray(), random.nextBoolean()))
                .limit(random.nextInt(17))
                .toList();
        return new Continuation(attempt(random), count(random), random.nextBoolean(), outputs);
    }

    private static StreamEvent event(RandomGenerator random) {
        return switch (random.nextInt(5)) {
            case 0 -> new StreamEvent.Accepted(id(random), random.nextLong());
            case 1 -> new StreamEvent.PromptScored(id(random), count(random), scored(random));
            case 2 ->
                new StreamEvent.Tokens(id(random), random.nextInt(16), count(random), scored(random), count(random));
            case 3 ->
                new StreamEvent.Finished(
                        id(random),
                        random.nextInt(16),
                        count(random),
                        pick(random, FinishReason.values()),
                        optional(random, Integer.MAX_VALUE));
            default ->
                new StreamEvent.Failed(
                        id(random),
                        pick(random, FailureKind.values()),
                        text(random, 300),
                        random.nextLong(Long.MAX_VALUE));
        };
    }

    private static GenerationRequest request(RandomGenerator random) {
        var prompt = random.ints(random.nextInt(1, 300), 0, 200_000).toArray();
        return new GenerationRequest(
                id(random),
                text(random, 40),
                prompt,
                sampling(random),
                text(random, 100),
                random.nextInt(-100, 101),
                Tenant.of(random.nextBoolean() ? "tenant-" + random.nextInt(9) : "", random.nextBoolean()));
    }

    private static SamplingParameters sampling(RandomGenerator random) {
        var biases = new HashMap<Integer, Float>();
        for (int i = random.nextInt(20); i > 0; i--) {
            biases.put(count(random), random.nextFloat(-100, 100));
        }
        Set<Integer> stops = new HashSet<>();
        for (int i = random.nextInt(20); i > 0; i--) {
            stops.add(count(random));
        }
        int maxTokens = random.nextInt(1, Integer.MAX_VALUE);
        return new SamplingParameters(
                maxTokens,
                random.nextInt(maxTokens),
                random.nextFloat(100),
                random.nextFloat(0.001f, 1),
                count(random),
                random.nextFloat(),
                random.nextFloat(0.001f, 10),
                random.nextFloat(-2, 2),
                random.nextFloat(-2, 2),
                new TreeMap<>(biases),
                stops,
                random.nextBoolean(),
                random.nextLong(),
                random.nextInt(1, 17),
                random.nextInt(-1, 21),
                random.nextInt(-1, 21));
    }

    private static Description description(RandomGenerator random) {
        return new Description(
                count(random),
                text(random, 50),
                random.nextLong(),
                text(random, 50),
                text(random, 20),
                text(random, 64),
                count(random),
                count(random),
                count(random),
                count(random),
                random.nextLong(Long.MAX_VALUE),
                text(random, 10),
                text(random, 100),
                text(random, 50));
    }

    private static LoadReport report(RandomGenerator random) {
        boolean pulls = random.nextBoolean();
        return new LoadReport(
                random.nextLong(),
                random.nextLong(Long.MAX_VALUE),
                count(random),
                count(random),
                random.nextLong(Long.MAX_VALUE),
                count(random),
                count(random),
                random.nextBoolean(),
                pulls ? random.nextDouble(1000) : 0,
                pulls ? random.nextDouble(2) : Double.POSITIVE_INFINITY);
    }

    private static List<KvSource> sources(RandomGenerator random) {
        return Stream.generate(() -> {
                    int from = random.nextInt(1000);
                    return new KvSource(text(random, 40), random.nextLong(), from, from + random.nextInt(1000));
                })
                .limit(random.nextInt(4))
                .toList();
    }

    private static PrefixCacheProtocol.Holder holder(RandomGenerator random) {
        return new PrefixCacheProtocol.Holder(text(random, 30), random.nextLong(), count(random), text(random, 30));
    }

    private static List<PrefixCacheProtocol.Change> changes(RandomGenerator random) {
        var changes = new ArrayList<PrefixCacheProtocol.Change>();
        for (int i = random.nextInt(5); i > 0; i--) {
            changes.add(new PrefixCacheProtocol.Change(
                    random.nextBoolean(),
                    pick(random, PrefixCacheProtocol.Tier.values()),
                    random.nextLong(),
                    random.nextLong(),
                    random.nextLong(),
                    random.nextLong(),
                    HashList.ofHalves(random.longs(2L * random.nextInt(20)).toArray())));
        }
        return changes;
    }

    private static PrefixCacheProtocol.Position position(RandomGenerator random) {
        return new PrefixCacheProtocol.Position(
                holder(random), count(random), pick(random, PrefixCacheProtocol.HolderState.values()));
    }

    private static List<PrefixCacheProtocol.Position> positions(RandomGenerator random) {
        return Stream.generate(() -> position(random)).limit(random.nextInt(4)).toList();
    }

    private static List<ScoredToken> scored(RandomGenerator random) {
        var tokens = new ArrayList<ScoredToken>();
        for (int i = random.nextInt(20); i > 0; i--) {
            int top = random.nextInt(21);
            var logprobs = new float[top];
            for (int j = 0; j < top; j++) {
                logprobs[j] = random.nextInt(9) == 0 ? Float.NEGATIVE_INFINITY : -random.nextFloat(100);
            }
            tokens.add(
                    random.nextBoolean()
                            ? ScoredToken.unscored(count(random))
                            : new ScoredToken(
                                    count(random),
                                    -random.nextFloat(50),
                                    random.nextInt(1, 1000),
                                    random.ints(top, 0, 200_000).toArray(),
                                    logprobs));
        }
        return tokens;
    }

    private static RequestId id(RandomGenerator random) {
        return RequestId.random(random);
    }

    private static int count(RandomGenerator random) {
        return random.nextInt() & (Integer.MAX_VALUE >>> random.nextInt(31));
    }

    private static OptionalInt optional(RandomGenerator random, int bound) {
        return random.nextBoolean() ? OptionalInt.empty() : OptionalInt.of(random.nextInt(bound));
    }

    private static String text(RandomGenerator random, int lengthMax) {
        return random.ints(random.nextInt(1, lengthMax), 1, 0xD7FF)
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                .toString();
    }

    private static <T> T pick(RandomGenerator random, T[] choices) {
        return choices[random.nextInt(choices.length)];
    }

    private static List<Long> seeds(int count) {
        Long only = Long.getLong("seed");
        return only != null ? List.of(only) : LongStream.range(0, count).boxed().toList();
    }
}
