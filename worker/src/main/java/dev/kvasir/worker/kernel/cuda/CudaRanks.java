package dev.kvasir.worker.kernel.cuda;

import dev.kvasir.model.weights.DType;
import dev.kvasir.worker.device.GpuInfo;
import dev.kvasir.worker.device.Nccl;
import dev.kvasir.worker.kernel.Exchange;
import dev.kvasir.worker.kernel.Kernels;
import dev.kvasir.worker.kernel.RankTask;
import dev.kvasir.worker.kernel.RankThreads;
import dev.kvasir.worker.kernel.Ranks;
import dev.kvasir.worker.kernel.StepLimits;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The GPUs of one host that compute a model together, each with context, stream, memory and recorded steps of its own, and
 * with a thread: measuring products and issuing prompts wait for the device in the midst of a step, whose exchanges wait for
 * the other GPUs, so that one thread could not serve two.
 */
public final class CudaRanks implements Ranks {
    /** Longest sum of more than two ranks that is made by reading each other's memory where NCCL is there too. */
    private static final long PEER_BYTES_MAX = 512 << 10;

    /** Longer than a step that generates takes. */
    private static final Duration SPIN_TIME = Duration.ofMillis(10);

    private final RankThreads threads;
    private final CudaKernels[] kernels;
    private final List<Exchange> exchanges = new ArrayList<>();
    private final List<Nccl.Communicator> communicators;
    private boolean owned;
    private String way = "";

    private CudaRanks(int count, List<Nccl.Communicator> communicators) {
        this.threads = new RankThreads(count, "gpu-rank", SPIN_TIME);
        this.kernels = new CudaKernels[count];
        this.communicators = communicators;
    }

    /**
     * Opens GPUs, one rank each.
     *
     * @param type of activations; weights of other types are converted
     * @throws IllegalStateException naming what is missing
     */
    public static Ranks open(List<GpuInfo> gpus, DType type, StepLimits limits, CudaOptions options) {
        if (gpus.size() == 1) {
            return Ranks.one(CudaKernels.open(gpus.getFirst(), type, limits, options));
        }
        if (gpus.size() > PeerSum.RANKS_MAX) {
            throw new IllegalArgumentException(
                    "%d GPUs, at most %d can compute a model together".formatted(gpus.size(), PeerSum.RANKS_MAX));
        }
        var nccl = nccl(options);
        // Before the GPUs' memory is shared out: it takes some.
        var ranks = new CudaRanks(gpus.size(), nccl == null ? List.of() : nccl.connect(gpus));
        try {
            ranks.threads.each(rank -> ranks.kernels[rank] = CudaKernels.open(gpus.get(rank), type, limits, options));
            ranks.connect(options, nccl);
            return ranks;
        } catch (RuntimeException e) {
            ranks.close();
            throw e;
        }
    }

    /** Whether it is taken where it is there. */
    private static boolean nccl(ExchangeWay way) {
        return way == ExchangeWay.AUTO || way == ExchangeWay.NCCL;
    }

    private static @Nullable Nccl nccl(CudaOptions options) {
        if (!nccl(options.exchange())) {
            return null;
        }
        try {
            return Nccl.open(options.libraryPath());
        } catch (IOException e) {
            if (options.exchange() == ExchangeWay.NCCL) {
                throw new IllegalStateException("tensor-parallel-exchange is nccl: " + e.getMessage(), e);
            }
            return null;
        }
    }

    private void connect(CudaOptions options, @Nullable Nccl nccl) {
        boolean near = options.exchange() != ExchangeWay.NCCL && allReach();
        if (!near && nccl == null) {
            throw new IllegalStateException(
                    "%d GPUs cannot compute a model together: they do not reach each other's memory%s"
                            .formatted(count(), nccl(options.exchange()) ? ", and there is no NCCL" : ""));
        }
        // Sums of few rows and of many must be made alike.
        boolean alike = options.deterministic() && near;
        if (options.deterministic() && !near && count() > 2) {
            throw new IllegalStateException(
                    "deterministic answers of %d GPUs need GPUs that reach each other's memory: NCCL adds in changing order"
                            .formatted(count()));
        }
        var table = new PeerTable(count());
        var made = new Exchange[count()];
        each(rank -> {
            var own = kernels[rank];
            if (nccl != null) {
                // Closed with the GPU, in its order: the library waits until graphs that were recorded with it are
                // gone.
                own.gpu().own(communicators.get(rank));
            }
            if (near && fused(options)) {
                own.followExchanges();
            }
            for (int other = 0; near && other < count(); other++) {
                if (other != rank) {
                    own.gpu().reach(kernels[other].gpu());
                }
            }
            made[rank] = new CudaExchange(
                    own,
                    rank,
                    count(),
                    nccl == null ? null : communicators.get(rank),
                    near ? new PeerSum(own, table, rank, fused(options)) : null,
                    alike || count() == 2 ? Long.MAX_VALUE : PEER_BYTES_MAX);
        });
        owned = true;
        exchanges.addAll(List.of(made));
        var library = nccl == null ? "" : nccl.describe();
        var own = fused(options) ? "peer memory with norms and choices" : "peer memory";
        way = near ? own + (library.isEmpty() || alike ? "" : " and " + library) : library;
    }

    /** With more than two it has not been measured, and is taken only where it is asked for. */
    private boolean fused(CudaOptions options) {
        return options.exchange() == ExchangeWay.FUSED || (options.exchange() == ExchangeWay.AUTO && count() == 2);
    }

    private boolean allReach() {
        for (var from : kernels) {
            for (var to : kernels) {
                if (from.gpu().info().ordinal() != to.gpu().info().ordinal()
                        && !from.gpu().reaches(to.gpu())) {
                    return false;
                }
            }
        }
        return true;
    }

    @Override
    public int count() {
        return kernels.length;
    }

    @Override
    public Kernels kernels(int rank) {
        return kernels[rank];
    }

    @Override
    public Exchange exchange(int rank) {
        return exchanges.get(rank);
    }

    @Override
    public void each(RankTask task) {
        threads.each(task);
    }

    @Override
    public String describe() {
        return "%d x %s, exchange by %s".formatted(count(), kernels[0].describe(), way);
    }

    @Override
    public void close() {
        try {
            each(rank -> {
                if (kernels[rank] != null) {
                    kernels[rank].close();
                }
            });
        } finally {
            threads.close();
        }
        if (!owned) {
            communicators.forEach(Nccl.Communicator::close);
        }
    }
}
