//! What a dialect does for the store: statements, and nothing that both dialects would decide alike.

use larder_core::{Entry, Expectation, Key, Outcome, Page, Scan, Timestamp, Write};

use super::error::Fault;

/// What a driver answers with.
pub(super) type Answer<T> = Result<T, Fault>;

/// When a put expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expiry {
    Never,
    /// At this moment, by the clock of the store.
    At(Timestamp),
    /// So many milliseconds after the moment of the write.
    After(u64),
}

/// A value to store, whatever is there.
#[derive(Debug)]
pub(super) struct Put<'a> {
    pub(super) key: &'a Key,
    pub(super) value: &'a [u8],
    pub(super) expiry: Expiry,
}

/// Most bytes of a counter: what is longer is none, and its value need not be fetched to know that.
pub(super) const COUNTER_BYTES_MAX: usize = 20;

/// What is stored under some keys at one moment.
#[derive(Debug)]
pub(super) struct States {
    /// The moment.
    pub(super) now: Timestamp,
    /// By position of the keys; expired entries are absent. Values longer than [`COUNTER_BYTES_MAX`] are
    /// left out, the entry is then there with an empty one.
    pub(super) entries: Vec<Option<Entry>>,
}

/// One database, through pools of connections.
pub(super) trait Driver: Send + Sync + 'static {
    /// An open transaction. Dropped, it is rolled back.
    type Transaction: Transaction;

    /// Whether [`write`](Self::write) can add to a counter.
    const ADDS_AT_ONCE: bool;

    fn get(&self, key: &Key) -> impl Future<Output = Answer<Option<Entry>>> + Send;

    /// By position; in one statement, so that all answers are of one moment.
    fn get_many(&self, keys: &[Key]) -> impl Future<Output = Answer<Vec<Option<Entry>>>> + Send;

    fn scan(&self, scan: &Scan) -> impl Future<Output = Answer<Page>> + Send;

    /// One write in one statement; none where `expect` does not hold. A delete is never asked to expect
    /// absence, an add to expect anything.
    fn write(
        &self,
        write: &Write,
        expect: Option<Expectation>,
    ) -> impl Future<Output = Answer<Option<Outcome>>> + Send;

    /// Many puts, all or none; their versions by position.
    fn put_all(&self, puts: &[Put<'_>]) -> impl Future<Output = Answer<Vec<Outcome>>> + Send;

    /// What is stored under these keys, without any lock.
    fn states(&self, keys: &[&Key]) -> impl Future<Output = Answer<States>> + Send;

    /// Begins a transaction in which nobody else writes any of these keys, absent ones included.
    ///
    /// The keys are distinct and in ascending order; at most `puts_max` of them will be put.
    fn begin(&self, keys: &[&Key], puts_max: usize)
    -> impl Future<Output = Answer<Self::Transaction>> + Send;

    /// Removes at most `limit` expired entries, and answers how many.
    fn sweep(&self, limit: u32) -> impl Future<Output = Answer<u64>> + Send;

    fn health(&self) -> impl Future<Output = Answer<()>> + Send;

    /// Waits for the operations that are under way, and closes all connections.
    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// An open transaction that holds its keys.
pub(super) trait Transaction: Send {
    /// What is stored under these keys, which are among those of the transaction.
    fn states(&mut self, keys: &[&Key]) -> impl Future<Output = Answer<States>> + Send;

    /// Puts and deletes; the versions of the puts by position. `absent` are keys of the transaction that
    /// had no entry and get none.
    fn write(
        &mut self,
        puts: &[Put<'_>],
        deletes: &[&Key],
        absent: &[&Key],
    ) -> impl Future<Output = Answer<Vec<Outcome>>> + Send;

    fn commit(self) -> impl Future<Output = Answer<()>> + Send;

    fn roll_back(self) -> impl Future<Output = Answer<()>> + Send;
}
