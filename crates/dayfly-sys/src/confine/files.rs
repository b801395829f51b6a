//! Landlock: the files that a process sees, and with newer kernels no network and no signals to others.

use super::{Error, Policy, Profile};
use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, Ruleset, RulesetAttr, RulesetCreatedAttr, Scope,
    path_beneath_rules,
};
use std::io;

/// The interface that this code was written for; older kernels do what they can.
const WRITTEN_FOR: ABI = ABI::V6;
/// What makes a file that is more than a file: nobody needs it.
const NEVER: [AccessFs; 4] = [AccessFs::MakeChar, AccessFs::MakeBlock, AccessFs::MakeFifo, AccessFs::MakeSock];

/// What of landlock holds.
pub(super) struct Files {
    /// Version of the interface; 0: none.
    pub(super) landlock: u32,
    /// Whether opening connections is shut, or never was of interest.
    pub(super) network: bool,
    /// Whether signals stay inside.
    pub(super) signals: bool,
}

pub(super) fn confine(policy: &Policy) -> Result<Files, Error> {
    let ruled = rules(policy).map_err(|error| Error::Refused { step: "landlock", source: io::Error::other(error) })?;
    let landlock = match ruled {
        LandlockStatus::Available { effective_abi, .. } => effective_abi as u32,
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => 0,
    };
    // Seccomp leaves only the resolver a way to the network, and it is there for that.
    Ok(Files {
        landlock,
        network: landlock >= ABI::V4 as u32 || policy.profile != Profile::Worker,
        signals: landlock >= ABI::V6 as u32,
    })
}

fn rules(policy: &Policy) -> Result<LandlockStatus, landlock::RulesetError> {
    let mut ruleset =
        Ruleset::default().handle_access(AccessFs::from_all(WRITTEN_FOR))?.scope(Scope::from_all(WRITTEN_FOR))?;
    if policy.profile != Profile::Resolver {
        ruleset = ruleset.handle_access(AccessNet::from_all(WRITTEN_FOR))?;
    }
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = NEVER.into_iter().fold(AccessFs::from_all(WRITTEN_FOR) & !AccessFs::Execute, |all, one| all & !one);
    let created = ruleset
        .create()?
        .add_rules(path_beneath_rules(&policy.read, read))?
        .add_rules(path_beneath_rules(&policy.exec, read | AccessFs::Execute))?
        .add_rules(path_beneath_rules(&policy.write, write))?;
    Ok(created.restrict_self()?.landlock)
}
