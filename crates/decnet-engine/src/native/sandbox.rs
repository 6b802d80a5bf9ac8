//! What a worker gives up before it hears the first byte of an intruder.
//!
//! The zygote already sits in empty namespaces of every kind: no network, no file system but an empty
//! read-only directory, no other process to see. On top of that each worker drops its user, every
//! capability, the right to gain any, file access (Landlock, where the kernel has it) and all system calls
//! that serving its sockets does not need. Reaching for one of those that lead out ends the worker, and the
//! keeper reports it.

use std::collections::BTreeMap;

use caps::{CapSet, Capability};
use landlock::{ABI, Access, AccessFs, Ruleset, RulesetAttr, RulesetStatus};
use nix::errno::Errno;
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};
use serde::{Deserialize, Serialize};

/// Bytes of memory that a worker may have for data. One that wants more is ended and started again.
const MEMORY: u64 = 256 << 20;
/// Descriptors that a worker may have: its sockets, and as many connections as a decky takes.
const DESCRIPTORS: u64 = 4096;

/// System calls that serve sockets which are there already.
const ALLOWED: &[i64] = &[
    libc::SYS_accept4,
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_close,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fcntl,
    libc::SYS_futex,
    libc::SYS_getpeername,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_gettid,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_ppoll,
    libc::SYS_pread64,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_yield,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    libc::SYS_sigaltstack,
    libc::SYS_write,
    libc::SYS_writev,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
];

/// System calls that only somebody who took the worker over would make: ways to the network, to programs,
/// to other processes, to the kernel. Making one ends the worker.
const LOUD: &[i64] = &[
    libc::SYS_add_key,
    libc::SYS_bind,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_connect,
    libc::SYS_delete_module,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_finit_module,
    libc::SYS_init_module,
    libc::SYS_io_uring_setup,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_kill,
    libc::SYS_listen,
    libc::SYS_memfd_create,
    libc::SYS_mount,
    libc::SYS_perf_event_open,
    libc::SYS_personality,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_open,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_request_key,
    libc::SYS_setns,
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_tkill,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
];

/// The compiled system call filters, made once and shared by all workers.
#[derive(Debug)]
pub(crate) struct Filters {
    allowed: BpfProgram,
    loud: BpfProgram,
}

/// What holds a worker, for the operator. What a kernel lacks is told, not passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Confinement {
    /// It has a user id of its own, which nothing else has.
    pub(crate) own_user: bool,
    /// Landlock denies it every file.
    pub(crate) landlock: bool,
}

impl Filters {
    /// Compiles them for this machine.
    pub(crate) fn compile() -> Result<Filters, String> {
        let arch: TargetArch = std::env::consts::ARCH
            .try_into()
            .map_err(|error| format!("no seccomp filter for this machine: {error}"))?;
        let program = |rules, otherwise, action| -> Result<BpfProgram, String> {
            SeccompFilter::new(rules, otherwise, action, arch)
                .and_then(BpfProgram::try_from)
                .map_err(|error| format!("the seccomp filter does not compile: {error}"))
        };
        let mut allowed: BTreeMap<i64, Vec<SeccompRule>> =
            ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
        // Memory may be had, but never memory to run code from.
        let not_executable = || -> Result<Vec<SeccompRule>, String> {
            let executable = libc::PROT_EXEC as u64;
            SeccompCondition::new(2, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(executable), 0)
                .and_then(|condition| SeccompRule::new(vec![condition]))
                .map(|rule| vec![rule])
                .map_err(|error| format!("the seccomp rule for memory is wrong: {error}"))
        };
        allowed.insert(libc::SYS_mmap, not_executable()?);
        allowed.insert(libc::SYS_mprotect, not_executable()?);
        let denied = SeccompAction::Errno(libc::EPERM as u32);
        let loud = LOUD.iter().map(|call| (*call, Vec::new())).collect();
        Ok(Filters {
            allowed: program(allowed, denied, SeccompAction::Allow)?,
            loud: program(loud, SeccompAction::Allow, SeccompAction::KillProcess)?,
        })
    }
}

/// Gives everything up. `user` becomes the worker's user and group id.
pub(crate) fn confine(user: u32, filters: &Filters) -> Result<Confinement, String> {
    for (resource, limit) in [
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_FSIZE, 0),
        (Resource::RLIMIT_NPROC, 0),
        (Resource::RLIMIT_DATA, MEMORY),
        (Resource::RLIMIT_NOFILE, DESCRIPTORS),
    ] {
        setrlimit(resource, limit, limit).map_err(|error| format!("limit {resource:?}: {error}"))?;
    }
    for capability in caps::all() {
        // A capability that this kernel does not know cannot be had either.
        let _ = caps::drop(None, CapSet::Bounding, capability);
    }
    if caps::has_cap(None, CapSet::Bounding, Capability::CAP_SYS_ADMIN).unwrap_or(true) {
        return Err("the capability bounding set cannot be emptied".to_owned());
    }
    let own_user = become_user(user)?;
    for set in [CapSet::Ambient, CapSet::Effective, CapSet::Inheritable, CapSet::Permitted] {
        caps::clear(None, set).map_err(|error| format!("give up the {set:?} capabilities: {error}"))?;
    }
    nix::sys::prctl::set_dumpable(false).map_err(|error| format!("forbid tracing: {error}"))?;
    nix::sys::prctl::set_no_new_privs().map_err(|error| format!("forbid new privileges: {error}"))?;
    let landlock = deny_files()?;
    seccompiler::apply_filter(&filters.loud).map_err(|error| format!("apply the seccomp filter: {error}"))?;
    seccompiler::apply_filter(&filters.allowed)
        .map_err(|error| format!("apply the seccomp filter: {error}"))?;
    Ok(Confinement { own_user, landlock })
}

/// Takes a user id of its own. In a user namespace there is only the one id that is mapped, and that is
/// somebody without rights outside already: then the answer is `false`.
fn become_user(user: u32) -> Result<bool, String> {
    let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(user));
    let taken =
        setgroups(&[]).and_then(|()| setresgid(gid, gid, gid)).and_then(|()| setresuid(uid, uid, uid));
    match taken {
        Ok(()) => Ok(true),
        Err(Errno::EPERM | Errno::EINVAL) if !in_initial_user_namespace() => Ok(false),
        Err(error) => Err(format!("become user {user}: {error}")),
    }
}

/// Whether ids here are the machine's own. Judged before the file system is gone (see the zygote).
fn in_initial_user_namespace() -> bool {
    INITIAL.get().copied().unwrap_or(true)
}

static INITIAL: std::sync::OnceLock<bool> = std::sync::OnceLock::new();

/// Notes which user namespace this is, while `/proc` can be read.
pub(crate) fn note_user_namespace() {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let whole = map.split_whitespace().eq(["0", "0", "4294967295"]);
    let _ = INITIAL.set(whole);
}

/// Denies every file by Landlock; `false` where the kernel has none (the empty root holds all the same).
fn deny_files() -> Result<bool, String> {
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V5))
        .and_then(Ruleset::create)
        .and_then(landlock::RulesetCreated::restrict_self)
        .map_err(|error| format!("deny files by Landlock: {error}"))?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}
