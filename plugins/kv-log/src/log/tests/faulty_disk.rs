//! A disk in memory that knows what is durable, fails at a given operation, and crashes.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use larder_sdk::{Error, Result};

use crate::log::disk::Disk;

/// What happens at the operation that is told to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The machine stops: this operation may be half done, and none after it happens.
    Crash,
    /// The disk is full: a write is half done and fails; later operations work.
    Full,
    /// The operation fails without having done anything; later ones work.
    Fails,
}

#[derive(Debug, Default, Clone)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Debug, Default)]
struct State {
    files: Vec<Content>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    operations: u64,
    fault: Option<(u64, Fault)>,
    crashed: bool,
}

/// Clones are the same disk.
#[derive(Debug, Default, Clone)]
pub(super) struct FaultyDisk {
    state: Rc<RefCell<State>>,
}

impl FaultyDisk {
    /// Lets the operation after `operations` more fail. Only what changes something counts.
    pub(super) fn fail_after(&self, operations: u64, fault: Fault) {
        let mut state = self.state.borrow_mut();
        state.fault = Some((state.operations + operations, fault));
    }

    pub(super) fn heal(&self) {
        self.state.borrow_mut().fault = None;
    }

    pub(super) fn operations(&self) -> u64 {
        self.state.borrow().operations
    }

    pub(super) fn has_crashed(&self) -> bool {
        self.state.borrow().crashed
    }

    /// The machine loses what was not durable, but for what it happened to write: of each file some of what was
    /// written since the last sync, byte by byte or cut, and some of the changes of names.
    pub(super) fn crash(&self, seed: u64) {
        let mut random = Random(seed);
        let mut state = self.state.borrow_mut();
        for content in &mut state.files {
            let Content { now, durable } = content.clone();
            let survived = match random.below(4) {
                0 => durable,
                1 => now,
                2 => {
                    let (longer, shorter) = (now.len().max(durable.len()), now.len().min(durable.len()));
                    let cut = shorter + random.below((longer - shorter + 1) as u64) as usize;
                    now.get(..cut).unwrap_or(&now).to_vec()
                }
                // Written out of order: holes of zeros among what is new.
                _ => {
                    let old = |at: usize| durable.get(at).copied().unwrap_or(0);
                    let block = 1 + random.below(64) as usize;
                    let kept: Vec<bool> = (0..=now.len() / block).map(|_| random.below(2) == 0).collect();
                    (0..now.len()).map(|at| if kept[at / block] { now[at] } else { old(at) }).collect()
                }
            };
            *content = Content { now: survived.clone(), durable: survived };
        }
        if random.below(2) == 0 {
            state.names = state.durable_names.clone();
        } else {
            state.durable_names = state.names.clone();
        }
        (state.fault, state.crashed) = (None, false);
    }

    /// The end of the process alone: nothing is lost.
    pub(super) fn kill(&self) {
        let mut state = self.state.borrow_mut();
        (state.fault, state.crashed) = (None, false);
    }

    pub(super) fn bytes(&self, name: &str) -> Vec<u8> {
        let state = self.state.borrow();
        state.files[state.names[name]].now.clone()
    }

    pub(super) fn set_bytes(&self, name: &str, bytes: Vec<u8>) {
        let mut state = self.state.borrow_mut();
        let id = state.names[name];
        state.files[id] = Content { now: bytes.clone(), durable: bytes };
    }

    /// An independent copy.
    pub(super) fn copy(&self) -> Self {
        let state = self.state.borrow();
        let state = State {
            files: state.files.clone(),
            names: state.names.clone(),
            durable_names: state.durable_names.clone(),
            ..State::default()
        };
        Self { state: Rc::new(RefCell::new(state)) }
    }

    /// Counts an operation; answers what is to go wrong with it.
    fn step(&self) -> Result<Option<Fault>> {
        let mut state = self.state.borrow_mut();
        if state.crashed {
            return Err(Error::other("the machine is down"));
        }
        let number = state.operations;
        state.operations += 1;
        let fault = state.fault.filter(|(at, _)| *at == number).map(|(_, fault)| fault);
        state.crashed = fault == Some(Fault::Crash);
        Ok(fault)
    }

    /// For operations that happen or do not.
    fn whole(&self) -> Result<()> {
        match self.step()? {
            None => Ok(()),
            Some(Fault::Full) => Err(Error::unavailable("the disk is full")),
            Some(Fault::Crash | Fault::Fails) => Err(Error::other("an input/output error")),
        }
    }

    fn id(&self, name: &str) -> Result<usize> {
        let id = self.state.borrow().names.get(name).copied();
        id.ok_or_else(|| Error::other(format!("there is no `{name}`")))
    }
}

impl Disk for FaultyDisk {
    fn names(&mut self) -> Result<Vec<String>> {
        Ok(self.state.borrow().names.keys().cloned().collect())
    }

    fn size(&mut self, name: &str) -> Result<u64> {
        let id = self.id(name)?;
        Ok(self.state.borrow().files[id].now.len() as u64)
    }

    fn read(&mut self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>> {
        let id = self.id(name)?;
        let state = self.state.borrow();
        let rest = state.files[id].now.get(offset as usize..).unwrap_or_default();
        Ok(rest[..length.min(rest.len())].to_vec())
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<()> {
        let fault = self.step()?;
        let bytes = match fault {
            Some(Fault::Crash | Fault::Full) => &bytes[..bytes.len() / 2],
            Some(Fault::Fails) => &[],
            None => bytes,
        };
        let mut state = self.state.borrow_mut();
        let fresh = state.files.len();
        let id = *state.names.entry(name.to_owned()).or_insert(fresh);
        if id == fresh {
            state.files.push(Content::default());
        }
        let now = &mut state.files[id].now;
        let end = offset as usize + bytes.len();
        now.resize(now.len().max(end), 0);
        now[offset as usize..end].copy_from_slice(bytes);
        match fault {
            None => Ok(()),
            Some(Fault::Full) => Err(Error::unavailable("the disk is full")),
            Some(_) => Err(Error::other("an input/output error")),
        }
    }

    fn truncate(&mut self, name: &str, size: u64) -> Result<()> {
        self.whole()?;
        let id = self.id(name)?;
        self.state.borrow_mut().files[id].now.truncate(size as usize);
        Ok(())
    }

    fn sync(&mut self, name: &str) -> Result<()> {
        self.whole()?;
        let id = self.id(name)?;
        let content = &mut self.state.borrow_mut().files[id];
        content.durable = content.now.clone();
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<()> {
        self.whole()?;
        let id = self.id(from)?;
        let mut state = self.state.borrow_mut();
        state.names.remove(from);
        state.names.insert(to.to_owned(), id);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<()> {
        if self.id(name).is_ok() {
            self.whole()?;
            self.state.borrow_mut().names.remove(name);
        }
        Ok(())
    }

    fn sync_names(&mut self) -> Result<()> {
        self.whole()?;
        let mut state = self.state.borrow_mut();
        state.durable_names = state.names.clone();
        Ok(())
    }
}

/// SplitMix64.
#[derive(Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
