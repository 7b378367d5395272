package dev.kvasir.chaos.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kvasir.kvstore.transfer.TransferClient;
import dev.kvasir.protocol.GenerationRequest;
import dev.kvasir.protocol.PrefixCacheProtocol.Holder;
import dev.kvasir.protocol.WorkerProtocol;
import dev.kvasir.worker.OfferQueue;
import dev.kvasir.worker.engine.Puller;
import dev.kvasir.worker.runner.Step;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** What workers may get wrong with blocks, their own and those that come from others. */
class PlantedBlockBugsSimulation extends PlantedBugs {
    /** Blocks that come while a call is being made wait for the next look, which nobody takes. */
    @Test
    void offersThatStopAfterACallThatFailedAreFound() {
        var failure = found(workers((world, life) -> new WorkerShell(world, life) {
            @Override
            Offers offers(Holder own, TransferClient client) {
                return new Offers(world, life, own, client) {
                    @Override
                    void told(OfferQueue of, OfferQueue.Call call, Optional<Integer> held) {
                        held.ifPresent(count -> of.ended(call, count));
                    }
                };
            }
        }));
        assertThat(failure.promise()).contains("P7");
    }

    /** A slot of host memory goes to another block while whoever wrote into it is not done. */
    @Test
    void aWriterThatTheTransferDidNotWaitForIsFound() {
        var failure = found(workers((world, life) -> new WorkerShell(world, life) {
            @Override
            Puller puller() {
                var usual = super.puller();
                return (need, sources) -> {
                    var pull = usual.begin(need, sources);
                    var slot =
                            pull == null ? null : Objects.requireNonNull(tier()).reserve();
                    if (slot != null) {
                        var bytes = slot.bytes();
                        slot.abandon();
                        life.after(30 * Timeline.MILLI, () -> bytes.fill((byte) 7));
                    }
                    return pull;
                };
            }
        }));
        assertThat(failure.promise()).contains("P3");
    }

    @Test
    void aPulledBlockThatIsAttachedTwiceIsFound() {
        var failure = found(workers((world, life) -> new WorkerShell(world, life) {
            @Override
            KvMemory memory(Geometry geometry) {
                return new KvMemory(geometry.blocks(), geometry.blockSize(), this::root) {
                    private int last = -1;

                    @Override
                    public void writeBlock(int block, MemorySegment from) {
                        super.writeBlock(block, from);
                        if (last >= 0) {
                            super.writeBlock(last, from);
                        }
                        last = block;
                    }
                };
            }
        }));
        assertThat(failure.promise()).containsAnyOf("P1", "P3");
    }

    /** Whatever comes is taken for what was asked for. */
    @Test
    void blocksThatAreAttachedUnverifiedAreFound() {
        var failure = found(workers((world, life) -> new WorkerShell(world, life) {
            @Override
            KvMemory memory(Geometry geometry) {
                return new KvMemory(geometry.blocks(), geometry.blockSize(), this::root) {
                    private int attached;

                    @Override
                    public void writeBlock(int block, MemorySegment from) {
                        super.writeBlock(block, from);
                        if (++attached % 5 == 0) {
                            block(block)[0] ^= 1;
                        }
                    }
                };
            }
        }));
        assertThat(failure.promise()).containsAnyOf("P1", "P3");
    }

    @Test
    void aTenantsSaltThatIsForgottenIsFound() {
        var failure = found(routers((world, life, seed) -> new FaultyRouter(world, life, seed) {
            @Override
            void send(Life to, Object message) {
                super.send(to, message instanceof WorkerProtocol.Generate generate ? unsalted(generate) : message);
            }
        }));
        assertThat(failure.promise()).containsAnyOf("P1", "P3");
    }

    @Test
    void aBlockThatTwoSequencesWriteIsFound() {
        var failure = found(workers((world, life) -> new WorkerShell(world, life) {
            @Override
            KvMemory memory(Geometry geometry) {
                return new KvMemory(geometry.blocks(), geometry.blockSize(), this::root) {
                    @Override
                    public void copyBlock(int from, int to) {}
                };
            }
        }));
        assertThat(failure.promise()).containsAnyOf("P1", "P3");
    }

    @Test
    void aWriteThatComesTooLateIsFound() {
        var failure = found(workers((world, life) -> new WorkerShell(world, life) {
            @Override
            KvMemory memory(Geometry geometry) {
                return new KvMemory(geometry.blocks(), geometry.blockSize(), this::root) {
                    private int lateBlock = -1;
                    private long[] lateContent = {};

                    @Override
                    public void run(Step step) {
                        super.run(step);
                        if (lateBlock >= 0) {
                            System.arraycopy(lateContent, 0, block(lateBlock), 0, lateContent.length);
                        }
                        var work = step.get(0);
                        lateBlock = work.blockTable()[(work.to() - 1) / blockSize()];
                        lateContent = block(lateBlock).clone();
                    }
                };
            }
        }));
        assertThat(failure.promise()).containsAnyOf("P1", "P3");
    }

    private static WorkerProtocol.Generate unsalted(WorkerProtocol.Generate generate) {
        var request = generate.request();
        return new WorkerProtocol.Generate(
                new GenerationRequest(
                        request.id(), request.model(), request.prompt(), request.sampling(), "", request.priority()),
                generate.continuation(),
                generate.origin(),
                generate.router(),
                generate.deadlineMillis(),
                generate.replyTo());
    }
}
