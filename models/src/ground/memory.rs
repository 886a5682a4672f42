//! How much memory this process may still take: of the machine, of its control groups, and of its own limits.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

/// Memory that is left, and what limits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that may still be taken.
    pub bytes: u64,
    /// What says so, in words.
    pub of: &'static str,
}

const MACHINE: &str = "the machine's free memory";
const GROUP: &str = "what its control group (cgroup) leaves";
const ADDRESSES: &str = "what the limit on its address space (`ulimit -v`) leaves";
const DATA: &str = "what the limit on its data (`ulimit -d`) leaves";

/// The least of all limits. `None` if the system reports none, as outside Linux.
pub fn left() -> Option<Room> {
    left_in(Path::new("/"))
}

/// The same, with `proc` and `sys` in another folder.
fn left_in(root: &Path) -> Option<Room> {
    let rooms = [machine(root), groups(root), own_limits(root)].into_iter().flatten();
    rooms.min_by_key(|room| room.bytes)
}

fn machine(root: &Path) -> Option<Room> {
    let text = read_to_string(root.join("proc/meminfo")).ok()?;
    Some(Room { bytes: kibibytes(&text, "MemAvailable:")?, of: MACHINE })
}

/// The least that a control group and its ancestors leave. A container sees its own group as the root, so folders that
/// do not exist are passed over.
fn groups(root: &Path) -> Option<Room> {
    let text = read_to_string(root.join("proc/self/cgroup")).ok()?;
    let mut left = Vec::new();
    for line in text.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else { continue };
        if controllers.is_empty() {
            for mount in ["sys/fs/cgroup", "sys/fs/cgroup/unified"] {
                left.extend(ancestors(&root.join(mount), path).iter().filter_map(|group| unified(group)));
            }
        } else if controllers.split(',').any(|name| name == "memory") {
            let mount = root.join("sys/fs/cgroup/memory");
            left.extend(ancestors(&mount, path).iter().filter_map(|group| hierarchical(group)));
        }
    }
    left.into_iter().min().map(|bytes| Room { bytes, of: GROUP })
}

fn ancestors(mount: &Path, path: &str) -> Vec<PathBuf> {
    Path::new(path.trim_start_matches('/')).ancestors().map(|part| mount.join(part)).collect()
}

/// What a group of version 2 leaves. Pages of files that nobody has used lately are given back on demand.
fn unified(group: &Path) -> Option<u64> {
    let (limit, used) = (number(&group.join("memory.max"))?, number(&group.join("memory.current"))?);
    Some(limit.saturating_sub(used.saturating_sub(statistic(group, "inactive_file"))))
}

/// The same for version 1.
fn hierarchical(group: &Path) -> Option<u64> {
    let limit = number(&group.join("memory.limit_in_bytes"))?;
    let used = number(&group.join("memory.usage_in_bytes"))?;
    Some(limit.saturating_sub(used.saturating_sub(statistic(group, "total_inactive_file"))))
}

fn statistic(group: &Path, name: &str) -> u64 {
    let text = read_to_string(group.join("memory.stat")).unwrap_or_default();
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(key, _)| *key == name).and_then(|(_, value)| value.trim().parse().ok()).unwrap_or(0)
}

/// The number in a file; `None` for `max`.
fn number(path: &Path) -> Option<u64> {
    read_to_string(path).ok()?.trim().parse().ok()
}

/// What the limits of the process leave: of addresses and of private memory that can be written.
fn own_limits(root: &Path) -> Option<Room> {
    let limits = read_to_string(root.join("proc/self/limits")).ok()?;
    let status = read_to_string(root.join("proc/self/status")).ok()?;
    let left = |limit: &str, used: &str, of| {
        let line = limits.lines().find_map(|line| line.strip_prefix(limit))?;
        let limit: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(Room { bytes: limit.saturating_sub(kibibytes(&status, used)?), of })
    };
    let rooms = [left("Max address space", "VmSize:", ADDRESSES), left("Max data size", "VmData:", DATA)];
    rooms.into_iter().flatten().min_by_key(|room| room.bytes)
}

/// The value of a line such as `VmSize:  1024 kB`, in bytes.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|count| count * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with these files.
    fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal: 2000 kB\nMemFree: 10 kB\nMemAvailable:   1000 kB\n");
    const UNLIMITED: &str = "Limit  Soft Limit  Hard Limit  Units\nMax data size             unlimited            unlimited            bytes\nMax address space         unlimited            unlimited            bytes\n";
    const STATUS: (&str, &str) = ("proc/self/status", "Name: x\nVmSize:\t     300 kB\nVmData:\t     200 kB\n");

    fn left(files: &[(&str, &str)]) -> Option<(u64, &'static str)> {
        left_in(system(files).path()).map(|room| (room.bytes, room.of))
    }

    #[test]
    fn a_machine_without_limits_gives_what_it_has_free() {
        let limits = ("proc/self/limits", UNLIMITED);
        let root = ("proc/self/cgroup", "0::/\n");
        assert_eq!(left(&[MEMINFO, limits, STATUS, root]), Some((1_024_000, MACHINE)));
        assert_eq!(left(&[]), None);
    }

    #[test]
    fn a_group_of_version_2_and_its_ancestors() {
        let group = ("proc/self/cgroup", "0::/a/b\n");
        let inner = ("sys/fs/cgroup/a/b/memory.max", "max\n");
        let outer = [
            ("sys/fs/cgroup/a/memory.max", "900000\n"),
            ("sys/fs/cgroup/a/memory.current", "500000\n"),
            ("sys/fs/cgroup/a/memory.stat", "anon 300000\ninactive_file 150000\nactive_file 50000\n"),
        ];
        assert_eq!(left(&[MEMINFO, group, inner, outer[0], outer[1], outer[2]]), Some((550_000, GROUP)));
        assert_eq!(left(&[MEMINFO, group, inner, outer[0], outer[1]]), Some((400_000, GROUP)));
        let over = [("sys/fs/cgroup/a/b/memory.max", "5\n"), ("sys/fs/cgroup/a/b/memory.current", "9\n")];
        assert_eq!(left(&[MEMINFO, group, over[0], over[1]]), Some((0, GROUP)));
    }

    /// A container of version 1 names its folder on the host, which it cannot see: its own is the root.
    #[test]
    fn a_group_of_version_1_seen_from_within_its_container() {
        let group = ("proc/self/cgroup", "5:cpu,cpuacct:/docker/1\n4:memory:/docker/1\n0::/\n");
        let own = [
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "800000\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "500000\n"),
            ("sys/fs/cgroup/memory/memory.stat", "inactive_file 1\ntotal_inactive_file 100000\n"),
        ];
        assert_eq!(left(&[MEMINFO, group, own[0], own[1], own[2]]), Some((400_000, GROUP)));
        let unlimited = ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(left(&[MEMINFO, group, unlimited, own[1], own[2]]), Some((1_024_000, MACHINE)));
    }

    #[test]
    fn limits_of_the_process() {
        let limits = |text: &'static str| left(&[MEMINFO, STATUS, ("proc/self/limits", text)]).unwrap();
        assert_eq!(limits("Max address space         600000   unlimited   bytes\n"), (600_000 - 300 * 1024, ADDRESSES));
        assert_eq!(limits("Max data size             100      unlimited   bytes\n"), (0, DATA));
    }

    #[test]
    fn this_machine_is_read() {
        assert_eq!(super::left().is_some(), cfg!(target_os = "linux"));
    }
}
