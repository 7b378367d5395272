package dev.kvasir.kvstore.store;

import dev.kvasir.kvstore.tier.DiskTier;
import dev.kvasir.kvstore.tier.StoredBlock;
import java.nio.file.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Tells the log, too, what becomes of a disk tier. */
record DiskLog(Path path, DiskTier.Listener then) implements DiskTier.Listener {
    private static final Logger LOG = LoggerFactory.getLogger(DiskLog.class);

    @Override
    public void stored(StoredBlock block) {
        then.stored(block);
    }

    @Override
    public void evicted(StoredBlock block) {
        then.evicted(block);
    }

    @Override
    public void opened(int blocks) {
        LOG.info("The disk tier {} is on and has {} blocks", path, blocks);
        then.opened(blocks);
    }

    @Override
    public void overwritten() {
        LOG.warn("{} is not a file of blocks of this model and version; it is overwritten", path);
        then.overwritten();
    }

    @Override
    public void switchedOff(String why) {
        LOG.error(
                "The disk tier {} is switched off: {}. Serving goes on without it; it is tried again later", path, why);
        then.switchedOff(why);
    }
}
