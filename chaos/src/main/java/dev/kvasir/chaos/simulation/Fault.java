package dev.kvasir.chaos.simulation;

import dev.kvasir.protocol.WorkerProtocol;
import java.util.List;
import java.util.Set;

/** Something bad that happens at a time, and ends. Members are named; a fault for a member that is not there is none. */
sealed interface Fault {
    long atNanos();

    /** When nothing of it is left. */
    long endNanos();

    /** Members that it is done to. */
    Set<String> members();

    /** Whether members that it is not done to may be unable to talk. */
    default boolean hurtsNetwork() {
        return false;
    }

    /** Plans what happens. */
    void plan(World world);

    /** kill -9, and a start after some time. */
    record Crash(String member, long atNanos, long downNanos) implements Fault {
        @Override
        public Set<String> members() {
            return Set.of(member);
        }

        @Override
        public long endNanos() {
            return atNanos + downNanos;
        }

        @Override
        public void plan(World world) {
            world.at(atNanos, () -> world.cluster().crash(member));
            world.at(endNanos(), () -> world.cluster().start(member));
        }
    }

    /** SIGSTOP, and SIGCONT after some time. */
    record Pause(String member, long atNanos, long pausedNanos) implements Fault {
        @Override
        public Set<String> members() {
            return Set.of(member);
        }

        @Override
        public long endNanos() {
            return atNanos + pausedNanos;
        }

        @Override
        public void plan(World world) {
            world.at(atNanos, () -> {
                var life = world.cluster().current(member);
                if (life != null) {
                    world.trace().note(member, () -> "is stopped");
                    life.pause();
                    world.at(endNanos(), () -> {
                        world.trace().note(member, () -> "goes on");
                        life.resume();
                    });
                }
            });
        }
    }

    /**
     * Members cannot send to some others for a while.
     *
     * @param bothWays nor the others to them
     * @param loses what is sent meanwhile is lost, and not kept until later
     */
    record Partition(Set<String> side, long atNanos, long cutNanos, boolean bothWays, boolean loses) implements Fault {
        public Partition {
            side = Set.copyOf(side);
        }

        @Override
        public Set<String> members() {
            return side;
        }

        @Override
        public boolean hurtsNetwork() {
            return true;
        }

        @Override
        public long endNanos() {
            return atNanos + cutNanos;
        }

        @Override
        public void plan(World world) {
            var one = side.stream().sorted().toList();
            var other = world.cluster().names().stream()
                    .filter(name -> !side.contains(name))
                    .toList();
            world.at(atNanos, () -> {
                world.trace().note("network", () -> "cut: " + one + (bothWays ? " <-> " : " -> ") + other);
                change(world, one, other, true);
            });
            world.at(endNanos(), () -> {
                world.trace().note("network", () -> "mended: " + one + " and " + other);
                change(world, one, other, false);
            });
        }

        private void change(World world, List<String> one, List<String> other, boolean cut) {
            for (var a : one) {
                for (var b : other) {
                    change(world, a, b, cut);
                    if (bothWays) {
                        change(world, b, a, cut);
                    }
                }
            }
        }

        private void change(World world, String from, String to, boolean cut) {
            if (cut) {
                world.network().cut(from, to, loses);
            } else {
                world.network().mend(from, to);
            }
        }
    }

    /** Partitions that come and go. */
    record Flapping(Set<String> side, long atNanos, long periodNanos, int times, boolean loses) implements Fault {
        public Flapping {
            side = Set.copyOf(side);
        }

        @Override
        public Set<String> members() {
            return side;
        }

        @Override
        public boolean hurtsNetwork() {
            return true;
        }

        @Override
        public long endNanos() {
            return atNanos + 2 * periodNanos * times;
        }

        @Override
        public void plan(World world) {
            for (int i = 0; i < times; i++) {
                new Partition(side, atNanos + 2 * periodNanos * i, periodNanos, true, loses).plan(world);
            }
        }
    }

    /** All links between members lose, double, delay and reorder. */
    record PoorNetwork(Network.Quality quality, long atNanos, long poorNanos) implements Fault {
        @Override
        public Set<String> members() {
            return Set.of();
        }

        @Override
        public boolean hurtsNetwork() {
            return true;
        }

        @Override
        public long endNanos() {
            return atNanos + poorNanos;
        }

        @Override
        public void plan(World world) {
            world.at(atNanos, () -> {
                world.trace().note("network", () -> "is now " + quality);
                world.network().usually(quality);
            });
            world.at(endNanos(), () -> {
                world.trace().note("network", () -> "is good again");
                world.network().usually(Network.Quality.GOOD);
            });
        }
    }

    /** Work takes longer on one member. */
    record Slow(String member, double factor, long atNanos, long slowNanos) implements Fault {
        @Override
        public Set<String> members() {
            return Set.of(member);
        }

        @Override
        public long endNanos() {
            return atNanos + slowNanos;
        }

        @Override
        public void plan(World world) {
            world.at(atNanos, () -> change(world, factor));
            world.at(endNanos(), () -> change(world, 1));
        }

        private void change(World world, double to) {
            var life = world.cluster().current(member);
            if (life != null) {
                world.trace().note(member, () -> "is now slower than usual by a factor of " + to);
                life.slowDown(to);
            }
        }
    }

    /** A worker or a kvstore is told to finish, and starts anew. */
    record Drain(String member, long atNanos, long moveAfterMillis) implements Fault {
        @Override
        public Set<String> members() {
            return Set.of(member);
        }

        @Override
        public long endNanos() {
            return atNanos + moveAfterMillis * Timeline.MILLI + 5 * Timeline.SECOND;
        }

        @Override
        public void plan(World world) {
            world.at(atNanos, () -> {
                var life = world.cluster().current(member);
                if (life != null) {
                    world.trace().note(member, () -> "is drained");
                    Object drain =
                            World.isStore(member) ? new Message.Drain() : new WorkerProtocol.Drain(moveAfterMillis);
                    life.handle(() -> life.program().receive(life, drain));
                }
            });
        }
    }

    /** A shard of the prefix index is given to another kvstore, as rebalancing does it. */
    record MoveShard(int shard, String target, long atNanos) implements Fault {
        @Override
        public Set<String> members() {
            return Set.of();
        }

        @Override
        public long endNanos() {
            return atNanos;
        }

        @Override
        public void plan(World world) {
            world.at(atNanos, () -> world.sharding().move(shard, target));
        }
    }

    /** The disk of a kvstore is slow, full or broken for a while. */
    record Disk(String member, SimulatedDisk.Trouble trouble, long atNanos, long troubleNanos) implements Fault {
        @Override
        public Set<String> members() {
            return Set.of();
        }

        @Override
        public long endNanos() {
            return atNanos + troubleNanos;
        }

        @Override
        public void plan(World world) {
            world.at(atNanos, () -> change(world, trouble));
            world.at(endNanos(), () -> change(world, SimulatedDisk.Trouble.NONE));
        }

        private void change(World world, SimulatedDisk.Trouble to) {
            world.trace().note(member, () -> "trouble with its disk: " + to);
            world.disk(member).be(to);
        }
    }

    /** The time of day jumps; the monotonic clock does not. */
    record ClockJump(String member, long atNanos, long millis) implements Fault {
        @Override
        public Set<String> members() {
            return Set.of(member);
        }

        @Override
        public long endNanos() {
            return atNanos;
        }

        @Override
        public void plan(World world) {
            world.at(atNanos, () -> {
                var life = world.cluster().current(member);
                if (life != null) {
                    world.trace().note(member, () -> "its clock jumps by " + millis + " ms");
                    life.jumpWallClock(millis);
                }
            });
        }
    }
}
