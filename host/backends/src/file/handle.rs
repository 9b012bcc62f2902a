//! The open database, shared by readers and the writer, and what becomes of it after a failure.
//!
//! After an I/O error redb serves nothing until it is closed and opened again. The writer does that
//! ([`Handle::reopen`]); whoever finds the database unusable asks it to, and says which opening it
//! saw fail, so that many who fail together cause one reopening.
//!
//! Readers share one snapshot, which the writer replaces after each commit and before it answers: to
//! begin a transaction and open the table costs half of a small read. It pins no pages that redb
//! would not keep anyway, for the last committed state is what a crash falls back to.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use larder_core::{Error, ErrorKind};
use redb::{Database, ReadableDatabase};

use super::{
    error::{Fault, Remedy, guarded},
    place::{Place, Verify},
    read::Entries,
    tables::ENTRIES,
};

/// Counts the openings of a database: what failed in one may do in the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Opening(u64);

#[derive(Debug)]
pub(super) struct Handle {
    place: Place,
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    opening: Opening,
    database: Result<Open, Outage>,
}

struct Open {
    database: Database,
    /// None where the last one could not be made: the database then has to be opened again.
    snapshot: RwLock<Option<Arc<Entries>>>,
}

/// Why there is no open database. Kept as parts, because each caller gets an error of its own.
#[derive(Debug)]
struct Outage {
    kind: ErrorKind,
    message: String,
    remedy: Remedy,
}

impl Handle {
    /// Opens the database of `place`; answers also the last version that may have been handed out.
    ///
    /// # Errors
    /// As [`Place::open`].
    pub(super) fn open(place: Place) -> Result<(Self, u64), Fault> {
        let (database, reserved) = place.open(Verify::BySize)?;
        let state = State { opening: Opening(0), database: Ok(Open::new(database)?) };
        Ok((Self { place, state: RwLock::new(state) }, reserved))
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Reads from the newest snapshot, and answers with the opening it belongs to.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Entries) -> Result<T, Fault>,
    ) -> (Opening, Result<T, Fault>) {
        let state = self.lock_shared();
        let result = match &state.database {
            Ok(open) => open.snapshot().and_then(|entries| guarded(|| work(&entries))),
            Err(outage) => Err(outage.fault()),
        };
        (state.opening, result)
    }

    /// Works with the database, lets readers see what it did, and answers with the opening it
    /// worked in. Only the writer calls this.
    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, Fault>,
    ) -> (Opening, Result<T, Fault>) {
        let state = self.lock_shared();
        let result = match &state.database {
            Ok(open) => {
                let result = guarded(|| work(&open.database));
                if result.is_ok() {
                    open.publish();
                }
                result
            }
            Err(outage) => Err(outage.fault()),
        };
        (state.opening, result)
    }

    /// Closes the database and opens it again with all its checksums verified, unless that has
    /// happened since `failed`. Answers the last reserved version if it opened one.
    ///
    /// # Errors
    /// Why the database can't be opened; later calls of `with` get that error, too.
    pub(super) fn reopen(&self, failed: Opening) -> Result<Option<u64>, Fault> {
        {
            let mut state = self.lock();
            if state.opening != failed {
                return match &state.database {
                    Ok(_) => Ok(None),
                    Err(outage) => Err(outage.fault()),
                };
            }
            let outage = Outage {
                kind: ErrorKind::Unavailable,
                message: "the database is being opened again after a failure".to_owned(),
                remedy: Remedy::ReopenAndRetry,
            };
            let before = std::mem::replace(&mut state.database, Err(outage));
            drop(state);
            // Its own complaints add nothing to the failure that is being handled.
            if let Ok(open) = before
                && let Err(fault) = open.close()
            {
                tracing::debug!(error = %fault.error.chain(), "closing a database that had failed");
            }
        }
        // Whoever comes meanwhile still names the failed opening, and so waits for this one.
        let opened = self
            .place
            .open(Verify::Always)
            .and_then(|(database, reserved)| Ok((Open::new(database)?, reserved)));
        let mut state = self.lock();
        state.opening = Opening(state.opening.0 + 1);
        match opened {
            Ok((open, reserved)) => {
                state.database = Ok(open);
                Ok(Some(reserved))
            }
            Err(fault) => {
                let outage = Outage::of(&fault);
                let fault = outage.fault();
                state.database = Err(outage);
                Err(fault)
            }
        }
    }

    /// Closes the database for good.
    ///
    /// # Errors
    /// What redb says; the next opening then repairs the database.
    pub(super) fn close(&self) -> Result<(), Fault> {
        let outage = Outage {
            kind: ErrorKind::Unavailable,
            message: "the store is closed".to_owned(),
            remedy: Remedy::None,
        };
        match std::mem::replace(&mut self.lock().database, Err(outage)) {
            Ok(open) => open.close(),
            Err(_) => Ok(()),
        }
    }

    // Nothing of ours panics while it holds the lock for writing.
    fn lock_shared(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn new(database: Database) -> Result<Self, Fault> {
        let snapshot = guarded(|| snapshot_of(&database))?;
        Ok(Self { database, snapshot: RwLock::new(Some(Arc::new(snapshot))) })
    }

    fn snapshot(&self) -> Result<Arc<Entries>, Fault> {
        let snapshot = self.snapshot.read().unwrap_or_else(PoisonError::into_inner);
        snapshot.clone().ok_or_else(|| redb::Error::PreviousIo.into())
    }

    fn publish(&self) {
        let newest = guarded(|| snapshot_of(&self.database));
        let newest = newest.inspect_err(|fault| {
            tracing::warn!(error = %fault.error.chain(), "readers have to wait until the database is opened again");
        });
        let newest = newest.ok().map(Arc::new);
        let before =
            std::mem::replace(&mut *self.snapshot.write().unwrap_or_else(PoisonError::into_inner), newest);
        // Outside the lock: the last one to let go of a snapshot ends its transaction.
        drop(before);
    }

    fn close(self) -> Result<(), Fault> {
        guarded(|| {
            drop(self.snapshot);
            Ok(self.database.close()?)
        })
    }
}

fn snapshot_of(database: &Database) -> Result<Entries, Fault> {
    Ok(database.begin_read()?.open_table(ENTRIES)?)
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Open")
    }
}

impl Outage {
    fn of(fault: &Fault) -> Self {
        // A damaged file does not heal: only opening the store anew looks at it again.
        let remedy =
            if fault.error.kind() == ErrorKind::Corrupt { Remedy::None } else { Remedy::ReopenAndRetry };
        Self { kind: fault.error.kind(), message: fault.error.chain(), remedy }
    }

    fn fault(&self) -> Fault {
        let error = Error::new(self.kind, format!("the database is out of service: {}", self.message));
        Fault { error, remedy: self.remedy }
    }
}
