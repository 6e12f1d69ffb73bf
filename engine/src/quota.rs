//! How much disk the files below a folder may take, and how many there may be, whichever calls write them.
//!
//! What a folder uses is known as an upper bound: everything that may make it grow is added before it happens, and
//! nothing is ever taken off. Where the bound leaves no room, the folder is counted, in the background; only what does not
//! fit then is refused. So a write costs an addition, and no write needs to know which file it goes to.

use crate::limits::lock;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::collections::{HashMap, HashSet};
use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

/// What a file's data is allocated in; a write may touch one more than it fills, and take one for the file's map.
const BLOCK: u64 = 4096;
const BLOCK_OF_STAT: u64 = 512;
/// A write that its call no longer waits for counts for so long as one that may still happen.
const ABANDONED: Duration = Duration::from_secs(10);
/// Folders of a process whose use is remembered while no call writes to them.
const FOLDERS_KEPT: usize = 10_000;
/// What was found full is counted again after so long: somebody else may have tidied up.
const FULL_FOR: Duration = Duration::from_secs(1);
/// A folder is counted for at most one part in so many of the time.
const REST: u32 = 10;

/// Bounds of one call on a folder that it shares with others.
#[derive(Clone)]
pub struct Quota {
    folder: Arc<Folder>,
    max: Amount,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    pub bytes: u64,
    pub entries: u64,
}

impl Amount {
    pub const ENTRY: Self = Self { bytes: BLOCK, entries: 1 };

    /// Of a write of that many bytes.
    pub fn of_write(bytes: usize) -> Self {
        if bytes == 0 {
            return Self::default();
        }
        Self { bytes: (bytes as u64).next_multiple_of(BLOCK) + 2 * BLOCK, entries: 0 }
    }

    fn plus(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_add(other.bytes), entries: self.entries.saturating_add(other.entries) }
    }

    fn minus(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_sub(other.bytes), entries: self.entries.saturating_sub(other.entries) }
    }

    fn within(self, max: Self) -> bool {
        self.bytes <= max.bytes && self.entries <= max.entries
    }
}

struct Folder {
    path: PathBuf,
    usage: Mutex<Usage>,
    counting: tokio::sync::Mutex<Counted>,
}

/// When a folder was counted last, and for how long.
#[derive(Default)]
struct Counted {
    ended: Option<Instant>,
    took: Duration,
}

#[derive(Default)]
struct Usage {
    /// Never less than what is on disk; None before it was counted.
    used: Option<Amount>,
    /// Of what was added, that which may not have happened yet.
    pending: Amount,
    abandoned: Vec<(Instant, Amount)>,
    /// Added while the folder is being counted, which may not see it.
    since: Amount,
    /// Whether counting again could find less, as far as calls have changed anything since it was done last.
    stale: bool,
    counted: Option<Instant>,
}

/// Room that was taken and is about to be used. To be told when it was.
pub struct Reservation {
    folder: Arc<Folder>,
    amount: Amount,
}

impl Quota {
    pub fn of(path: PathBuf, max_bytes: u64, max_entries: u64) -> Self {
        static FOLDERS: LazyLock<Mutex<HashMap<PathBuf, Arc<Folder>>>> = LazyLock::new(Mutex::default);
        let mut folders = lock(&FOLDERS);
        // Kept between calls: what is known of a folder saves counting it, and a call may leave a write behind.
        if folders.len() >= FOLDERS_KEPT {
            folders.retain(|_, folder| Arc::strong_count(folder) > 1);
        }
        let folder = folders.entry(path).or_insert_with_key(|path| {
            Arc::new(Folder { path: path.clone(), usage: Mutex::default(), counting: Default::default() })
        });
        let folder = folder.clone();
        Self { folder, max: Amount { bytes: max_bytes, entries: max_entries } }
    }

    /// Takes room; None where there is none.
    pub async fn reserve(&self, amount: Amount) -> Option<Reservation> {
        loop {
            match self.folder.take(amount, self.max) {
                Taken::Yes => return Some(Reservation { folder: self.folder.clone(), amount }),
                Taken::No => return None,
                Taken::Unknown => self.count(amount).await,
            }
        }
    }

    /// The most bytes up to `wish` that a write may have now, with room for them; None where that is not known without
    /// counting, or none.
    pub fn reserve_now(&self, wish: usize) -> Option<(usize, Reservation)> {
        let amount = Amount::of_write(wish);
        let taken = self.folder.take(amount, self.max);
        matches!(taken, Taken::Yes).then(|| (wish, Reservation { folder: self.folder.clone(), amount }))
    }

    /// Something may have become smaller or fewer.
    pub fn freed(&self) {
        lock(&self.folder.usage).stale = true;
    }

    async fn count(&self, wish: Amount) {
        let folder = &self.folder;
        let mut counted = folder.counting.lock().await;
        // Whoever counted before may have found room, or none.
        if !lock(&folder.usage).unknown(wish, self.max) {
            return;
        }
        if let Some(ended) = counted.ended {
            tokio::time::sleep_until((ended + counted.took * REST).into()).await;
        }
        let began = Instant::now();
        lock(&folder.usage).begin(began);
        let (path, most) = (folder.path.clone(), self.max.entries);
        let found = tokio::task::spawn_blocking(move || count(&path, most)).await;
        // What cannot be counted has no room left.
        let found = found.ok().and_then(Result::ok).unwrap_or(Amount { bytes: u64::MAX, entries: u64::MAX });
        lock(&folder.usage).end(found);
        *counted = Counted { ended: Some(Instant::now()), took: began.elapsed() };
    }
}

enum Taken {
    Yes,
    No,
    Unknown,
}

impl Folder {
    fn take(&self, amount: Amount, max: Amount) -> Taken {
        let mut usage = lock(&self.usage);
        if usage.unknown(amount, max) {
            return Taken::Unknown;
        }
        let used = usage.used.unwrap_or_default().plus(amount);
        if !used.within(max) {
            return Taken::No;
        }
        usage.used = Some(used);
        usage.pending = usage.pending.plus(amount);
        usage.since = usage.since.plus(amount);
        usage.stale = true;
        Taken::Yes
    }
}

impl Usage {
    /// Whether there is room can be said only after counting.
    fn unknown(&self, amount: Amount, max: Amount) -> bool {
        let old = || self.counted.is_none_or(|counted| counted.elapsed() > FULL_FOR);
        self.used.is_none_or(|used| !used.plus(amount).within(max) && (self.stale || old()))
    }

    fn begin(&mut self, now: Instant) {
        let old = |(when, _): &(Instant, Amount)| now.duration_since(*when) >= ABANDONED;
        for (_, amount) in self.abandoned.extract_if(.., |entry| old(entry)) {
            self.pending = self.pending.minus(amount);
        }
        self.since = self.pending;
        self.stale = false;
    }

    fn end(&mut self, found: Amount) {
        self.used = Some(found.plus(self.since));
        self.counted = Some(Instant::now());
    }
}

impl Reservation {
    /// Gives back what goes beyond `amount`, before any of it is used.
    pub fn shrink(&mut self, amount: Amount) {
        let back = self.amount.minus(amount);
        self.amount = self.amount.minus(back);
        let mut usage = lock(&self.folder.usage);
        // Counting meanwhile has kept it among what is pending, so that it is in each of them.
        usage.used = usage.used.map(|used| used.minus(back));
        usage.pending = usage.pending.minus(back);
        usage.since = usage.since.minus(back);
    }

    /// What the room was for has happened, or never will.
    pub fn done(mut self) {
        let amount = std::mem::take(&mut self.amount);
        let mut usage = lock(&self.folder.usage);
        usage.pending = usage.pending.minus(amount);
    }
}

impl Drop for Reservation {
    /// Nobody waits for it any more, but a thread may still be at it.
    fn drop(&mut self) {
        if self.amount != Amount::default() {
            lock(&self.folder.usage).abandoned.push((Instant::now(), self.amount));
        }
    }
}

/// What is below `root`: blocks of files and links, and entries of every kind. Follows no link, so that a guest that puts
/// one in the place of a folder meanwhile leads nowhere. Stops at twice `most` entries: that is full anyway.
fn count(root: &Path, most: u64) -> Result<Amount, Errno> {
    let root = rustix::fs::open(root, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let mut found = Amount::default();
    let mut linked = HashSet::new();
    let mut folders = vec![CString::default()];
    while let Some(folder) = folders.pop() {
        let opened = if folder.is_empty() { root.try_clone().map_err(|_| Errno::MFILE) } else { open(&root, &folder) };
        let opened = match opened {
            Ok(opened) => opened,
            // Gone, or something else by now.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => continue,
            Err(error) => return Err(error),
        };
        for entry in Dir::read_from(&opened)? {
            let entry = entry?;
            if matches!(entry.file_name().to_bytes(), b"." | b"..") {
                continue;
            }
            found.entries += 1;
            if found.entries > most.saturating_mul(2) {
                return Ok(found);
            }
            let stat = match rustix::fs::statat(&opened, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => stat,
                Err(Errno::NOENT) => continue,
                Err(error) => return Err(error),
            };
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                let mut path = folder.clone().into_bytes();
                if !path.is_empty() {
                    path.push(b'/');
                }
                path.extend_from_slice(entry.file_name().to_bytes());
                folders.push(CString::new(path).map_err(|_| Errno::INVAL)?);
            } else if stat.st_nlink < 2 || linked.insert((stat.st_dev, stat.st_ino)) {
                let blocks = u64::try_from(stat.st_blocks).unwrap_or(0);
                found.bytes = found.bytes.saturating_add(blocks.saturating_mul(BLOCK_OF_STAT));
            }
        }
    }
    Ok(found)
}

fn open(root: impl AsFd, path: &CString) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    match rustix::fs::openat2(&root, path.as_c_str(), flags, Mode::empty(), inside) {
        // A kernel before 5.6.
        Err(Errno::NOSYS) => rustix::fs::openat(&root, path.as_c_str(), flags, Mode::empty()),
        opened => opened,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    struct Temporary(PathBuf);

    impl Temporary {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("quota-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).expect("a folder");
            Self(path)
        }

        fn quota(&self, bytes: u64, entries: u64) -> Quota {
            Quota::of(self.0.clone(), bytes, entries)
        }
    }

    impl Drop for Temporary {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
    }

    #[test]
    fn entries_of_every_kind_count_and_links_lead_nowhere() {
        let folder = Temporary::new("kinds");
        fs::create_dir_all(folder.0.join("a/b")).expect("folders");
        fs::write(folder.0.join("a/b/file"), vec![1; 10_000]).expect("a file");
        fs::hard_link(folder.0.join("a/b/file"), folder.0.join("again")).expect("a hard link");
        std::os::unix::fs::symlink("/", folder.0.join("root")).expect("a link");
        let found = count(&folder.0, 100).expect("counted");
        assert_eq!(found.entries, 5);
        assert!((10_000..=20_480).contains(&found.bytes), "{found:?}");
    }

    #[test]
    fn a_hole_takes_no_room() {
        let folder = Temporary::new("hole");
        fs::File::create(folder.0.join("hole")).expect("a file").set_len(1 << 40).expect("a hole");
        assert!(count(&folder.0, 100).expect("counted").bytes <= BLOCK);
    }

    #[test]
    fn room_is_found_again_by_counting_and_refused_where_there_is_none() {
        let folder = Temporary::new("room");
        let quota = folder.quota(10 * BLOCK, 100);
        run(async {
            // Overwriting a block again and again adds up, until it is counted what is really there.
            for _ in 0..50 {
                let room = quota.reserve(Amount::of_write(1)).await.expect("room");
                fs::write(folder.0.join("file"), b"x").expect("a write");
                room.done();
            }
            assert!(quota.reserve(Amount::of_write(20 * BLOCK as usize)).await.is_none());
            assert!(quota.reserve(Amount::of_write(1)).await.is_some());
        });
    }

    #[test]
    fn entries_are_refused_until_one_goes() {
        let folder = Temporary::new("entries");
        let quota = folder.quota(1 << 30, 2);
        run(async {
            for name in ["a", "b"] {
                let room = quota.reserve(Amount::ENTRY).await.expect("room");
                fs::write(folder.0.join(name), b"").expect("a file");
                room.done();
            }
            assert!(quota.reserve(Amount::ENTRY).await.is_none());
            fs::remove_file(folder.0.join("a")).expect("removed");
            quota.freed();
            assert!(quota.reserve(Amount::ENTRY).await.is_some());
        });
    }

    #[test]
    fn what_is_still_to_be_written_is_not_forgotten_by_counting() {
        let folder = Temporary::new("pending");
        let quota = folder.quota(10 * BLOCK, 100);
        run(async {
            let pending = quota.reserve(Amount::of_write(6 * BLOCK as usize)).await.expect("room");
            quota.freed();
            assert!(
                quota.reserve(Amount::of_write(3 * BLOCK as usize)).await.is_none(),
                "counted, with what is pending"
            );
            pending.done();
            quota.freed();
            assert!(quota.reserve(Amount::of_write(3 * BLOCK as usize)).await.is_some());
        });
    }

    #[test]
    fn two_versions_share_one_folder() {
        let folder = Temporary::new("shared");
        let (first, second) = (folder.quota(10 * BLOCK, 100), folder.quota(10 * BLOCK, 100));
        run(async {
            let _held = first.reserve(Amount::of_write(6 * BLOCK as usize)).await.expect("room");
            assert!(second.reserve(Amount::of_write(3 * BLOCK as usize)).await.is_none());
        });
    }
}
