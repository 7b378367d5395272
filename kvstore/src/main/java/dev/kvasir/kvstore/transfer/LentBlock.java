package dev.kvasir.kvstore.transfer;

import dev.kvasir.kvstore.hash.BlockHash;

/**
 * A block that may be read where it is.
 *
 * @param block its number in its pool
 * @param checksum of its bytes, by the device that has it
 */
public record LentBlock(BlockHash hash, int block, long checksum) {}
