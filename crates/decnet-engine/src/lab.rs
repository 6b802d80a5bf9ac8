//! A fleet in a LAN in a box: the same engine, in network namespaces of its own.
//!
//! Nothing of the machine's own network is touched, and nothing in the box can reach it. A user without
//! rights gets a user namespace, in which this process is root and nobody outside.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitStatus;

use decnet_net::NetError;
use decnet_net::lab::{Lab, Layout};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

use crate::error::EngineError;
use crate::process;

/// Builds the box. To be called before this process has a second thread.
///
/// # Errors
/// The system allows this user no namespaces.
pub fn build(layout: Layout) -> Result<Lab, EngineError> {
    if !geteuid().is_root() {
        become_root_of_nothing()?;
    }
    Ok(Lab::build(layout)?)
}

/// Enters a new user namespace in which this user is root.
fn become_root_of_nothing() -> Result<(), EngineError> {
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|error| {
        EngineError::system(
            "make a user namespace (run the lab as root where the system forbids them)",
            error,
        )
    })?;
    let write = |file: &str, text: String| {
        std::fs::write(file, text).map_err(|error| EngineError::system(format!("write {file}"), error))
    };
    write("/proc/self/uid_map", format!("0 {user} 1"))?;
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/gid_map", format!("0 {group} 1"))
}

/// Runs a command as the attacker, on this process's terminal, and waits for it.
///
/// # Errors
/// It cannot be started.
pub fn attack(lab: &Lab, command: &[OsString], scratch: &Path) -> Result<ExitStatus, EngineError> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(EngineError::system("run the attacker", std::io::Error::other("no command was given")));
    };
    let resolver = scratch.join("resolv.conf");
    std::fs::write(&resolver, "").map_err(|source| EngineError::File { path: resolver.clone(), source })?;
    let ran = lab.attacker.run(|| {
        furnish(&resolver)?;
        process::command(program)
            .args(arguments)
            .status()
            .map_err(|error| NetError::system(format!("run {}", program.to_string_lossy()), error))
    });
    Ok(ran?)
}

/// Gives the attacker's thread a view of its own: `/sys` of its namespace, and no name server, so that tools
/// do not wait for one that cannot be reached. Both are comforts: without them the tools still work.
fn furnish(resolver: &Path) -> Result<(), NetError> {
    const NONE: Option<&str> = None;
    let mine = unshare(CloneFlags::CLONE_NEWNS)
        .and_then(|()| mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE));
    if mine.is_ok() {
        let _ = mount(Some(resolver), "/etc/resolv.conf", NONE, MsFlags::MS_BIND, NONE);
        let _ = mount(Some("lab"), "/sys", Some("sysfs"), MsFlags::empty(), NONE);
    }
    Ok(())
}
